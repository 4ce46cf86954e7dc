"""Read a model's weights from checkpoints of various formats.

Files are read with ``weights_only``: a downloaded teacher cannot run code.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from .reading import CheckpointError, read_file

# The student of a distilled file, innermost last: MMRazor's `architecture.`,
# the authors' `student.`, and the wrapper that DataParallel leaves behind.
PREFIXES = ('module.', 'architecture.', 'student.')

# Where a checkpoint keeps what is not the student's.
SECTION = 'mmmgd'

# Where trainers put weights, the best first. MMEngine's EMA files already
# hold the averaged weights in `state_dict`.
SECTIONS = ('state_dict', 'state_dict_ema', 'model_ema', 'model')


def read_state_dict(path: str) -> dict[str, Tensor]:
    """Read the weights of one model from a file or a URL, onto the CPU.

    Accepts a bare state dict, a file with a section for it, and files whose
    names carry a prefix; of a distilled file the student is taken.

    Args:
        path: Path or http(s) URL.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If the file is damaged, asks for code to be run, or
            holds no weights.
    """
    content = read_file(path)
    for section in SECTIONS:
        if isinstance(content, Mapping) and section in content:
            content = content[section]
            break
    if not is_state_dict(content):
        raise CheckpointError(
            f'Expected weights in {path!r}, but found '
            f'{_describe(content)}. A checkpoint holds them by name, at the '
            f'top or under one of {SECTIONS}.'
        )
    return strip_prefixes(content)


def strip_prefixes(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of the model itself, or of the student in it."""
    for prefix in PREFIXES:
        inner = sub_state(state, prefix)
        if inner:
            state = inner
    return state  # type: ignore[return-value]


def sub_state(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the part of a state dict below a prefix, without the prefix.

    Keeps ``_metadata``, by which modules recognise files of older versions.
    """
    inner: Any = OrderedDict(
        (k[len(prefix) :], v) for k, v in state.items() if k.startswith(prefix)
    )
    metadata = getattr(state, '_metadata', None)
    if metadata is not None:
        stem = prefix.rstrip('.')
        inner._metadata = OrderedDict(
            (k[len(prefix) :], v)
            for k, v in metadata.items()
            if k == stem or k.startswith(prefix)
        )
    return inner


def is_state_dict(content: Any) -> bool:
    """Whether an object maps names to tensors and nothing else."""
    return (
        isinstance(content, Mapping)
        and len(content) > 0
        and all(isinstance(v, Tensor) for v in content.values())
    )


def _describe(content: Any) -> str:
    if isinstance(content, Mapping):
        return f'a dict with the keys {list(content)[:8]}'
    return f'a {type(content).__name__}'
