"""Points: names of features inside a model.

A *point* is the path of a module, as ``model.named_modules()`` spells it.
``'neck[0]'`` picks from a tuple of outputs, ``'model[last_hidden_state]'``
from named ones; ``'bbox_head.cls_convs.3@0'`` picks the first run of a module
that runs once on every level.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from mmmgd.config import close_names


class Path(NamedTuple):
    """The parts of a point.

    Attributes:
        module: Path of the module.
        pick: Which of several outputs; None if it has one.
        run: Which of several runs in a pass; None if there is one.
    """

    module: str
    pick: int | str | None
    run: int | None


def split_point(point: str) -> Path:
    """Split 'neck[0]@1' into ('neck', 0, 1), 'neck' into ('neck', None, None).

    Raises:
        ValueError: If it is no point.
    """
    match = re.fullmatch(r'([^\[\]@]+)(?:\[(-?\d+|\w+)\])?(?:@(\d+))?', point)
    if match is None:
        raise ValueError(
            "Expected a point such as 'neck.fpn_convs.0' or 'neck[0]', but "
            f'got {point!r}.'
        )
    module, pick, run = match.groups()
    number = pick is not None and pick.lstrip('-').isdigit()
    return Path(
        module,
        int(pick) if number else pick,
        None if run is None else int(run),
    )


def find_module(model: nn.Module, name: str, side: str) -> nn.Module:
    """Return the module of that name, or raise with the closest names."""
    modules = dict(model.named_modules())
    if name in modules and name:
        return modules[name]
    close = close_names(name, modules)
    raise ValueError(
        f'Expected a module of the {side} ({type(model).__name__}), but it '
        f'has none named {name!r}. Close names: '
        + (', '.join(map(repr, close)) or 'none')
        + '. List all of them with `dict(model.named_modules())`.'
    )


def pick(output: Any, point: str, side: str) -> Tensor:
    """Return the tensor that a point means from its module's output.

    Raises:
        ValueError: If it means none, naming those that there are.
    """
    name, index, _ = split_point(point)
    parts = outputs_of(output)
    if parts is not None:
        keys = list(parts)
        if index is None and len(keys) == 1:
            index = 0
        if isinstance(index, int) and -len(keys) <= index < len(keys):
            index = keys[index]
        if index not in parts:
            raise ValueError(
                f'The {side} module {name!r} returns {len(keys)} outputs, '
                f"but the point is {point!r}. Pick one: '{name}[{keys[0]}]' "
                f"to '{name}[{keys[-1]}]'."
            )
        output = parts[index]
    elif index is not None:
        raise ValueError(
            f'The {side} module {name!r} returns one {type(output).__name__}, '
            f'so {point!r} has nothing to pick from. Write {name!r}.'
        )
    if not isinstance(output, Tensor):
        raise ValueError(
            f'Expected a tensor at the {side} point {point!r}, but got '
            f'{type(output).__name__}. Choose a module inside it.'
        )
    return output


def outputs_of(output: Any) -> dict[int | str, Any] | None:
    """Return several outputs by number or name; None if it is one."""
    if isinstance(output, Mapping) and output:  # torchvision, transformers
        return dict(output)
    if isinstance(output, (tuple, list)) and output:
        return dict(enumerate(output))
    return None


def check_calls(
    calls: Mapping[str, int], points: Iterable[str], side: str
) -> None:
    """Raise unless each point's module ran, and once if no run is picked."""
    for point in points:
        name, _, run = split_point(point)
        times = calls[name]
        if times <= (run or 0):
            raise RuntimeError(
                f'The {side} point {point!r} exists but did not run in this '
                'pass, so there is nothing to distil. Choose a module that '
                'takes part in training.'
            )
        if times > 1 and run is None:
            raise RuntimeError(
                f'The {side} point {point!r} ran {times} times in one pass, '
                'and not once on each level of a pyramid, so its feature is '
                'ambiguous. Choose a module that runs once, or name the run: '
                f"'{point}@0' to '{point}@{times - 1}'."
            )
