"""Read checkpoints without executing code in them.

A checkpoint is a pickle, and a pickle is a program. Only the types that
MMEngine itself writes may occur in a file; one that asks for more is refused.
"""

import io
import os
import os.path as osp
import pickle
import re
from typing import Any

import torch
from mmengine.dist import barrier, get_local_rank
from mmengine.fileio import get_file_backend
from mmengine.runner import CheckpointLoader
from mmengine.runner import checkpoint as mmengine_checkpoint
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from . import restricted_pickle

# Files that a user has decided to trust, separated like PATH.
TRUST = 'MMMGD_TRUST'


class CheckpointError(ValueError):
    """A file that is damaged, or that cannot be read without running it."""


def read_file(path: str, map_location: Any = 'cpu') -> Any:
    """Read what ``torch.save`` or safetensors wrote, from a path or a URL.

    Args:
        path: Path or http(s) URL.
        map_location: Where tensors go, as for ``torch.load``.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If the file is damaged, or asks for types beyond
            those of torch, NumPy and MMEngine and is not trusted.
    """
    source = _download(path) if _is_url(path) else local_path(path)
    if not osp.isfile(source):
        raise FileNotFoundError(
            f'Expected a checkpoint at {path!r}, but there is no such file '
            f'(working folder: {osp.abspath(osp.curdir)}). Correct the path, '
            'or download the file first.'
        )
    safe = source.endswith('.safetensors')
    if _is_trusted(source) and not safe:
        return torch.load(
            source, map_location=map_location, weights_only=False
        )
    try:
        load = _load_safetensors if safe else _restricted_load
        return load(source, map_location)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f'{path!r} cannot be read without running code that it contains, '
            f'or is not a checkpoint ({_reason(error)}). If you trust who '
            f'made it, name it in the environment: {TRUST}={source}'
        ) from error
    except (RuntimeError, EOFError, OSError, SafetensorError) as error:
        raise CheckpointError(
            f'{path!r} ({osp.getsize(source)} bytes) is truncated or damaged: '
            f'{_first_line(error)} Copy or download it again.'
        ) from error


def local_path(path: str) -> str:
    """Return the local path of a file, or of the download of its URL."""
    if _is_url(path):
        folder = osp.join(torch.hub.get_dir(), 'checkpoints')
        return osp.join(folder, osp.basename(path))
    return osp.expanduser(path)


def guard_mmengine() -> None:
    """Make MMEngine read checkpoints by :func:`read_file` in this process.

    Its own reader runs the code of a file that it finds unsafe, after a
    warning. Concerns ``load_from``, ``resume`` and pretrained weights.
    """
    register = CheckpointLoader.register_scheme
    register('', load_from_file, force=True)
    register(('http://', 'https://'), load_from_file, force=True)
    register(('modelzoo://', 'torchvision://'), load_from_name, force=True)
    register(('open-mmlab://', 'openmmlab://'), load_from_name, force=True)
    register(
        (r'(\S+\:)?s3://', r'(\S+\:)?petrel://'), load_from_ceph, force=True
    )


def load_from_file(filename: str, map_location: Any = 'cpu') -> Any:
    """Load a path or a URL (MMEngine prints this function's name)."""
    return read_file(filename, map_location)


def load_from_name(filename: str, map_location: Any = 'cpu') -> Any:
    """Load what torchvision or OpenMMLab publish under a name."""
    scheme, _, name = filename.partition('://')
    if scheme in ('modelzoo', 'torchvision'):
        return read_file(
            mmengine_checkpoint.get_torchvision_models()[name], map_location
        )
    name = mmengine_checkpoint.get_deprecated_model_names().get(name, name)
    url = mmengine_checkpoint.get_external_models()[name]
    if not _is_url(url):
        url = osp.join(mmengine_checkpoint._get_mmengine_home(), url)
    return read_file(url, map_location)


def load_from_ceph(filename: str, map_location: Any = 'cpu') -> Any:
    """Load from an object store through MMEngine's file backend."""
    content = get_file_backend(
        filename, backend_args={'backend': 'petrel'}
    ).get(filename)
    try:
        return _restricted_load(io.BytesIO(content), map_location)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f'{filename!r} cannot be read without running code that it '
            f'contains ({_reason(error)}). If you trust who made it, copy it '
            f'to this machine and name the copy in {TRUST}.'
        ) from error


def _is_url(path: str) -> bool:
    return path.startswith(('http://', 'https://'))


def _is_trusted(path: str) -> bool:
    named = filter(None, os.environ.get(TRUST, '').split(os.pathsep))
    return osp.realpath(path) in {
        osp.realpath(osp.expanduser(name)) for name in named
    }


def _download(url: str) -> str:
    """Download a file once per machine; return its local path."""
    path = local_path(url)
    if get_local_rank() == 0 and not osp.isfile(path):
        os.makedirs(osp.dirname(path), exist_ok=True)
        # Downloads to a temporary name and moves, so never half a file.
        torch.hub.download_url_to_file(url, path)
    barrier()
    return path


def _restricted_load(source: Any, map_location: Any) -> Any:
    if not hasattr(torch.serialization, 'safe_globals'):  # torch < 2.5
        return torch.load(
            source,
            map_location=map_location,
            pickle_module=restricted_pickle,
            weights_only=False,
        )
    with torch.serialization.safe_globals(restricted_pickle.TYPES):
        return torch.load(source, map_location=map_location, weights_only=True)


def _load_safetensors(source: str, map_location: Any) -> dict[str, Tensor]:
    state = load_file(source)
    if isinstance(map_location, (str, torch.device)):
        state = {name: t.to(map_location) for name, t in state.items()}
    return state


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _reason(error: Exception) -> str:
    """Return which refused type torch's long error message names."""
    found = re.search(r'GLOBAL \S+|getattr\(.*?\) refused', str(error))
    return found.group() if found else _first_line(error)
