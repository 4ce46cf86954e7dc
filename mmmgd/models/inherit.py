"""Copy parts of the teacher's weights into the student."""

from collections.abc import Sequence

from mmengine.logging import print_log
from torch import nn

from mmmgd.points.paths import find_module


def check_inherit(
    student: nn.Module, teacher: nn.Module, parts: Sequence[str]
) -> None:
    """Refuse parts that do not exist or do not fit, before anything runs.

    Args:
        student: The student.
        teacher: The teacher.
        parts: Module paths that both models have, e.g. ``['neck']``.

    Raises:
        ValueError: If a part does not exist (close names are offered), or a
            tensor of it is missing or of another shape on one side.
    """
    for part in parts:
        mine = find_module(student, part, 'student').state_dict()
        theirs = find_module(teacher, part, 'teacher').state_dict()
        for key in [*mine, *(k for k in theirs if k not in mine)]:
            shapes = [
                tuple(state[key].shape) if key in state else 'absent'
                for state in (mine, theirs)
            ]
            if shapes[0] != shapes[1]:
                raise ValueError(
                    f'Expected the part {part!r} to be the same in student '
                    f"and teacher to inherit it, but '{part}.{key}' is "
                    f'{shapes[0]} in the student and {shapes[1]} in the '
                    f'teacher. Remove {part!r} from `inherit`, or name the '
                    'modules inside it that agree.'
                )


def copy_inherited(
    student: nn.Module, teacher: nn.Module, parts: Sequence[str]
) -> None:
    """Copy the teacher's weights of these parts into the student."""
    count = 0
    for part in parts:
        state = find_module(teacher, part, 'teacher').state_dict()
        find_module(student, part, 'student').load_state_dict(state)
        count += len(state)
    if parts:
        print_log(
            f'Inherited {count} tensors from the teacher: '
            f'{", ".join(parts)}. A checkpoint that is loaded or resumed '
            'replaces them.',
            logger='current',
        )
