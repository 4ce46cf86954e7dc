"""Choose α and inherited parts from the two models alone."""

from dataclasses import dataclass, field
from typing import Any

from torch import nn

from mmmgd.config import Size

from .data_facts import Classes, same_classes
from .recipes import BACKBONES, Recipe


@dataclass
class Side:
    """What the choices depend on of one model, student or teacher.

    Attributes:
        model: The model, built.
        dataset: Config of the data set that it is trained on.
        classes: Its classes; None if only the data tell.
        crop: Height and width of its training images, where they are stated.
    """

    model: nn.Module
    dataset: dict[str, Any] = field(default_factory=dict)
    classes: Classes = None
    crop: Size | None = None


def loss_weight(
    recipe: Recipe, student: Side, teacher: Side
) -> tuple[float | str, str]:
    """Return the authors' α for their data and networks, else 'auto'.

    Returns:
        The number or 'auto', and the reason.
    """
    data = student.dataset
    own_classes = data.get('classes') or data.get('metainfo', {}).get(
        'classes'
    )
    backbones = {
        type(getattr(side.model, 'backbone', None)).__name__
        for side in (student, teacher)
    }
    if (
        data.get('type') in recipe.datasets
        and not own_classes
        and backbones <= set(BACKBONES)
    ):
        return (
            recipe.loss_weight,
            f"α, as on the authors' data: {recipe.source}",
        )
    return 'auto', (
        'α is measured on the first steps: for other data or networks than '
        f"the authors', their {recipe.loss_weight:g} means something else"
    )


def inheritable(student: Side, teacher: Side) -> tuple[list[str], str]:
    """Choose the parts, backbone excepted, that agree in all tensors.

    A head must be for the same classes, too. Also returns the reason.
    """
    parts, reasons = [], []
    for name, module in student.model.named_children():
        mine = _sizes(module)
        if name == 'backbone' or not mine:
            continue
        if mine != _sizes(getattr(teacher.model, name, None)):
            reasons.append(f'{name} has other tensors')
        elif 'head' in name and not same_classes(
            student.classes, teacher.classes
        ):
            reasons.append(f'{name} may be for other classes')
        else:
            parts.append(name)
    text = 'all that agrees, but not the backbone, starts from the teacher'
    return parts, '; '.join([text, *reasons])


def _sizes(module: nn.Module | None) -> dict[str, tuple[int, ...]]:
    state = module.state_dict() if module is not None else {}
    return {name: tuple(tensor.shape) for name, tensor in state.items()}
