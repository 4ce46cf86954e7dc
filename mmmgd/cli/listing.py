"""Pairs of points, as text to copy into a config."""

from collections.abc import Sequence

from mmmgd.points.candidates import Candidate
from mmmgd.points.propose import needs_resize


def written(pairs: Sequence[tuple[Candidate, Candidate]]) -> list[str]:
    """Return pairs as a config has them, with shapes to read beside them."""
    lines = []
    for student, teacher in pairs:
        if student.point == teacher.point:
            text = repr(student.point)
        else:
            text = (
                f'dict(student={student.point!r}, teacher={teacher.point!r})'
            )
        stride = f'{student.stride:g}'
        if student.shape[2:] != teacher.shape[2:]:
            stride += f' <- {teacher.stride:g}'
        lines.append(
            f'{text},  # {student.shape[1:]} <- {teacher.shape[1:]}, '
            f'stride {stride}'
        )
    if needs_resize(pairs):
        lines.append("and beside `points`: resize='teacher'")
    return lines
