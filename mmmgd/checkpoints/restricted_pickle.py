"""The types a checkpoint may contain, and an unpickler for only those.

torch's own restricted reader (``weights_only=True``) takes a list of further
types since 2.5. Before, it refuses every file that MMEngine writes; there
:func:`load` serves as ``torch.load(pickle_module=...)``.
"""

import collections
import pickle
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

# The methods of its own class that a log history of MMEngine names.
STATISTICS = ('min', 'max', 'current', 'mean')
NUMBERS = ('float64', 'float32', 'int64', 'int32', 'uint32', 'uint8', 'bool')


def statistic(owner: Any, name: str) -> Any:
    """Replace ``getattr``, which pickles of HistoryBuffer call.

    Allowing the real one would let a file reach into any object.
    """
    if owner is HistoryBuffer and name in STATISTICS:
        return getattr(owner, name)
    raise pickle.UnpicklingError(f'getattr({owner!r}, {name!r}) refused.')


# NumPy 1.26 has an empty `_core` already.
_NUMPY_2 = np.lib.NumpyVersion(np.__version__) >= '2.0.0'
_CORE: Any = vars(np)['_core' if _NUMPY_2 else 'core']

# What MMEngine writes beside the weights: log histories and numbers.
TYPES: list[Any] = [
    slice,
    HistoryBuffer,
    (statistic, 'builtins.getattr'),
    np.ndarray,
    np.dtype,
    _CORE.multiarray._reconstruct,
    _CORE.multiarray.scalar,
    *(type(np.dtype(name)) for name in NUMBERS),
]

# By name, what the reader below allows; NumPy 2 renamed its core.
_BY_NAME: dict[tuple[str, str], Any] = {
    ('builtins', 'getattr'): statistic,
    ('builtins', 'slice'): slice,
    ('builtins', 'set'): set,
    ('collections', 'Counter'): collections.Counter,
    ('collections', 'OrderedDict'): collections.OrderedDict,
    ('mmengine.logging.history_buffer', 'HistoryBuffer'): HistoryBuffer,
    ('numpy', 'dtype'): np.dtype,
    ('numpy', 'ndarray'): np.ndarray,
    ('torch', 'Size'): torch.Size,
    ('torch', 'device'): torch.device,
    ('torch.nn.parameter', 'Parameter'): torch.nn.Parameter,
    **{
        (f'numpy.{core}.multiarray', name): getattr(_CORE.multiarray, name)
        for core in ('core', '_core')
        for name in ('_reconstruct', 'scalar')
    },
    **{
        ('torch._utils', name): getattr(torch._utils, name)
        for name in (
            '_rebuild_tensor',
            '_rebuild_tensor_v2',
            '_rebuild_parameter',
        )
    },
    **{
        ('torch', name): value
        for name, value in vars(torch).items()
        if isinstance(value, torch.dtype)
    },
}


class Unpickler(pickle.Unpickler):
    """An unpickler that accepts only the types above."""

    def find_class(self, module: str, name: str) -> Any:
        """Return an allowed type, or refuse the file."""
        # torch.save writes names of Python 2.
        module = 'builtins' if module == '__builtin__' else module
        # NumPy writes bytes of old pickles so; the codec is looked at there.
        if (module, name) == ('_codecs', 'encode'):
            return _encode
        try:
            return _BY_NAME[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f'GLOBAL {module}.{name} refused.'
            ) from None


def _encode(text: str, codec: str) -> bytes:
    return text.encode('latin1' if codec == 'latin1' else 'ascii')


def load(file: Any, **kwargs: Any) -> Any:
    """Read one pickle, as ``torch.load(pickle_module=...)`` expects."""
    return Unpickler(file, **kwargs).load()
