"""Load weights strictly for the part of a model that runs."""

from collections.abc import Callable, Collection
from typing import Any

from torch import Tensor, nn

from mmmgd.checkpoints.state_dicts import read_state_dict

# Counts batches and is read in training only; old files do not have it.
IGNORED = 'num_batches_tracked'


def load_strictly(
    module: nn.Module, path: str, wants: Callable[[str], bool], name: str
) -> None:
    """Load a file into the tensors that are wanted.

    The others may be missing or of another width, such as the head of a
    teacher with other classes.

    Args:
        module: The model.
        path: Path or URL of the file.
        wants: Whether the tensor of a name is wanted.
        name: What the model is called in messages.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is damaged, does not fit the part that runs, or
            holds what is not finite there.
    """
    own = module.state_dict().keys()
    state: Any = _below(read_state_dict(path), own)
    for key in list(state):
        # A name without a dot may be a tensor that a trainer left at the top.
        if not wants(key) or ('.' not in key and key not in own):
            del state[key]
    needed = set(needed_tensors(module, wants))
    try:
        report = module.load_state_dict(state, strict=False)
    except RuntimeError as error:  # widths differ
        raise ValueError(_misfit(module, path, name, str(error))) from error
    problems = [
        f'{word}: {", ".join(keys[:5])}'
        + (f' and {len(keys) - 5} more' if len(keys) > 5 else '')
        for word, keys in (
            ('missing', [k for k in report.missing_keys if k in needed]),
            ('not in the model', report.unexpected_keys),
        )
        if keys
    ]
    if problems:
        raise ValueError(_misfit(module, path, name, '; '.join(problems)))
    for key, tensor in state.items():
        if not tensor.isfinite().all():
            raise ValueError(
                f'Expected finite weights of the teacher, but {key!r} in '
                f'{path!r} is not: its training had diverged. Take an '
                'earlier file of it (teacher.checkpoint).'
            )


def needed_tensors(
    module: nn.Module, wants: Callable[[str], bool]
) -> list[str]:
    """Return the names that a file has to have."""
    return [
        key
        for key in module.state_dict()
        if wants(key) and not key.endswith(IGNORED)
    ]


def _below(state: dict[str, Tensor], own: Collection[str]) -> dict:
    """Name weights of a part as the whole model does.

    A file of timm or transformers has the names of the model inside, which
    wrappers hold as a part.
    """
    first = next(iter(state), '')
    if not first or any(key in own for key in state):
        return state
    prefixes = [k.removesuffix(first) for k in own if k.endswith(f'.{first}')]
    return (
        {prefixes[0] + k: v for k, v in state.items()} if prefixes else state
    )


def _misfit(module: nn.Module, path: str, name: str, problems: str) -> str:
    return (
        f'Expected weights of {type(module).__name__} ({name}) in {path!r}, '
        'but the file does not fit the part of the teacher that is used. '
        f"{problems}. Name the file that belongs to the teacher's config."
    )
