"""Whether weights belong to a model."""

import copy
from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor, nn

# Counts batches and is read in training only; old files do not have it.
COUNTER = 'num_batches_tracked'
# Names in a message.
SHOWN = 5

Shape = tuple[int, ...]


class Misfit(NamedTuple):
    """What does not agree between weights and a model, by name.

    Attributes:
        missing: Tensors that only the model has.
        unexpected: Tensors that only the weights have.
        shapes: Tensors of another shape: the weights', and the model's.
    """

    missing: list[str]
    unexpected: list[str]
    shapes: dict[str, tuple[Shape, Shape]]

    def __bool__(self) -> bool:
        return any(map(len, self))

    def __str__(self) -> str:
        problems = {
            'missing': self.missing,
            'not in the model': self.unexpected,
            'of another shape': [
                f'{name} {found} instead of {wanted}'
                for name, (found, wanted) in self.shapes.items()
            ],
        }
        return '; '.join(
            f'{len(names)} tensors {word}: {", ".join(names[:SHOWN])}'
            + (', ...' if len(names) > SHOWN else '')
            for word, names in problems.items()
            if names
        )

    @property
    def is_of_classes(self) -> bool:
        """Whether only the number of outputs of last layers differs.

        Wherever else a width differs, the next layer's input does too.
        """
        return not (self.missing or self.unexpected) and all(
            found[1:] == wanted[1:] for found, wanted in self.shapes.values()
        )


def shapes_of(module: nn.Module) -> dict[str, Shape]:
    """Return the shape of each tensor that a module saves."""
    return {k: tuple(v.shape) for k, v in module.state_dict().items()}


def compare(
    state: Mapping[str, Tensor], shapes: Mapping[str, Shape]
) -> Misfit:
    """Compare weights with the shapes that a model has, by name."""
    return Misfit(
        [k for k in shapes if k not in state and not k.endswith(COUNTER)],
        [k for k in state if k not in shapes],
        {
            k: (tuple(state[k].shape), shapes[k])
            for k in shapes
            if k in state and tuple(state[k].shape) != shapes[k]
        },
    )


def load_fitting(model: nn.Module, state: Mapping[str, Tensor]) -> Misfit:
    """Load the weights that fit, and return what does not.

    Layers convert the tensors of older versions, so only loading shows it.
    """
    shapes = {}
    try:
        report = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        shapes = {
            name: both
            for name, both in compare(state, shapes_of(model)).shapes.items()
            if f'size mismatch for {name}:' in str(error)
        }
        if not shapes:
            raise
        state = copy.copy(state)  # with the versions of its layers
        for name in shapes:
            del state[name]  # type: ignore[attr-defined]
        report = model.load_state_dict(state, strict=False)
    missing = set(report.missing_keys) - set(shapes)
    return Misfit(
        sorted(k for k in missing if not k.endswith(COUNTER)),
        list(report.unexpected_keys),
        shapes,
    )
