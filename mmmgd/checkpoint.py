"""Reading weights out of the files that people have.

Files are read with ``weights_only``: a downloaded teacher cannot run code.
"""

import contextlib
import os
import os.path as osp
import pickle
import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mmengine.dist import barrier, get_local_rank
from mmengine.logging import HistoryBuffer
from torch import Tensor

# The student of a distilled file, innermost last: MMRazor's `architecture.`,
# the authors' `student.`, and the wrapper that DataParallel leaves behind.
PREFIXES = ('module.', 'architecture.', 'student.')

# Where trainers put weights, the best first. MMEngine's EMA files already
# hold the averaged weights in `state_dict`.
SECTIONS = ('state_dict', 'state_dict_ema', 'model_ema', 'model')


# The methods of its own class that a log history of MMEngine names.
STATISTICS = ('min', 'max', 'current', 'mean')


def read_state_dict(path: str) -> dict[str, Tensor]:
    """Read the weights of one model from a file or a URL, onto the CPU.

    Accepts a bare state dict, a file with a section for it, and files whose
    names carry a prefix; of a distilled file the student is taken.

    Args:
        path: Path or http(s) URL.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged or holds no weights.
    """
    content = read_checkpoint(path)
    for section in SECTIONS:
        if isinstance(content, Mapping) and section in content:
            content = content[section]
            break
    if not _is_state_dict(content):
        raise ValueError(
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


def read_checkpoint(path: str) -> Any:
    """Read all that a file holds, onto the CPU, without running its code.

    Args:
        path: Path or http(s) URL.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, or needs code that it contains.
    """
    if path.startswith(('http://', 'https://')):
        path = _download(path)
    path = osp.expanduser(path)
    if not osp.isfile(path):
        raise FileNotFoundError(
            f'Expected a checkpoint at {path!r}, but there is no such file '
            f'(working folder: {osp.abspath(osp.curdir)}). Correct the path, '
            'or download the file first.'
        )
    try:
        with _allowed_types():
            return torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f'{path!r} cannot be read without running code that it contains, '
            f'or is not a checkpoint ({_reason(error)}). If you trust it, '
            'save its state_dict anew with torch.save.'
        ) from error
    except (RuntimeError, EOFError, OSError) as error:
        raise ValueError(
            f'{path!r} ({osp.getsize(path)} bytes) is truncated or damaged: '
            f'{_first_line(error)} Copy or download it again.'
        ) from error


def _download(url: str) -> str:
    """Fetch a file once per machine, and return where it lies."""
    folder = osp.join(torch.hub.get_dir(), 'checkpoints')
    path = osp.join(folder, osp.basename(url))
    if get_local_rank() == 0 and not osp.isfile(path):
        os.makedirs(folder, exist_ok=True)
        # Downloads to a temporary name and moves, so never half a file.
        torch.hub.download_url_to_file(url, path)
    barrier()
    return path


def _allowed_types() -> contextlib.AbstractContextManager:
    if not hasattr(torch.serialization, 'safe_globals'):
        return contextlib.nullcontext()  # torch < 2.5 has no such list
    return torch.serialization.safe_globals(allowed_types())


def allowed_types() -> list[Any]:
    """List what MMEngine writes beside the weights: its log history.

    In the form that ``torch.serialization.add_safe_globals`` takes.
    """
    core = np._core if hasattr(np, '_core') else np.core
    numbers = [np.float64, np.float32, np.int64, np.int32, np.bool_]
    return [
        HistoryBuffer,
        (_statistic, 'builtins.getattr'),
        np.ndarray,
        np.dtype,
        core.multiarray._reconstruct,
        core.multiarray.scalar,
        *(type(np.dtype(n)) for n in numbers),
    ]


def _statistic(owner: Any, name: str) -> Any:
    """Stand in for ``getattr``, by which HistoryBuffer names its methods.

    The real one on the list would open every object to a file's code.
    """
    if owner is HistoryBuffer and name in STATISTICS:
        return getattr(owner, name)
    raise pickle.UnpicklingError(f'getattr({owner!r}, {name!r}) refused.')


def _is_state_dict(content: Any) -> bool:
    return (
        isinstance(content, Mapping)
        and len(content) > 0
        and all(isinstance(v, Tensor) for v in content.values())
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _reason(error: Exception) -> str:
    """Find in torch's page of advice what the file asked for."""
    found = re.search(r'GLOBAL \S+|getattr\(.*?\) refused', str(error))
    return found.group() if found else _first_line(error)


def _describe(content: Any) -> str:
    if isinstance(content, Mapping):
        return f'a dict with the keys {list(content)[:8]}'
    return f'a {type(content).__name__}'
