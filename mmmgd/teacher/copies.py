"""Moving a teacher that copies of its owner share."""

import copy
from collections.abc import Callable

from torch import Tensor, nn

from .teacher import Teacher

# What of a teacher refers to its modules.
PARTS = ('module', '_tap', '_compiler')


def moved(
    teacher: Teacher, fn: Callable[[Tensor], Tensor], student: nn.Module
) -> Teacher:
    """Apply to a teacher what ``.to()`` applies to its owner.

    Args:
        teacher: The owner's teacher.
        fn: What is applied to each tensor.
        student: The owner's. A copy of it that is moved gets a teacher of its
            own, so that the original keeps its.

    Returns:
        The owner's teacher from now on.
    """
    if id(student) != teacher.student:
        module = teacher.module
        tensors = [*module.parameters(), *module.buffers()]
        if all(fn(tensor) is tensor for tensor in tensors):
            return teacher
        state = {name: vars(teacher)[name] for name in PARTS}
        teacher = copy.copy(teacher)
        vars(teacher).update(copy.deepcopy(state), student=id(student))
        teacher._compiler.renew()
    teacher.module._apply(fn)
    return teacher
