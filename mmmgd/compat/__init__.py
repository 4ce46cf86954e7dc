"""Repairs of installed codebases, each only where upstream still fails.

``import mmmgd.compat`` calls :func:`install`: before MMRazor, or before
another tool reads an ``mmseg::`` config. ``python -m mmmgd.compat SCRIPT``
does so before a script that cannot be edited. Our own modules do not. It
imports no codebase, and changes neither torch nor a version number. Lines are
those of MMRazor 1.0.0 and onedl-mmengine 0.10.12; what works there, on
whatever stack, is left alone.

- ``mmrazor/__init__.py:16-19`` asserts mmcv <= 2.1.0. Its distillation half
  runs on newer ones.
- ``mmrazor/structures/quantization/backend_config/
  common_operator_config_utils.py:21-23`` imports ``reverse2``, ``reverse3``
  and ``reverse_sequential_wrapper2``, which torch 2.0 removed. A placeholder
  (26-44) hides that until line 53 ends the import of all ``mmrazor.models`` as
  "`torch>=1.13` is not installed properly". Here the quantization half, and
  only it, becomes absent, and says so if asked.
- ``mmrazor/models/algorithms/base.py:205`` looks for modules inside an
  ``OrderedDict``, but torch 2.11 keeps them in a plain dict: no ReLU is
  switched from inplace, and a recorded feature is silently overwritten by the
  one that follows. Here it looks inside any dict.
- ``mmrazor/models/algorithms/distill/configurable/
  single_teacher_distill.py:70`` and ``datafree_distillation.py:59`` read the
  teacher through MMEngine. Where the list below is not enough, OneDL's runs
  whatever code the file contains. Here :mod:`mmmgd.checkpoints.reading`
  refuses it.
- ``mmrazor/engine/runner/distill_val_loop.py:52,118`` call MMEngine's
  ``run_iter``, which has come to sort validation losses out of the
  predictions (``mmengine/runner/loops.py:505``): it needs a list, and keeps
  losses that these loops neither log nor clear. Here they have a step like the
  one that MMRazor itself wrote for the teacher (68-88).
- ``mmrazor/models/losses/kd_soft_ce_loss.py:9`` imports from ``mmcls``, now
  ``mmpretrain``. A placeholder (12) hides that until the first batch of
  ``KDSoftCELoss``. Here mmpretrain's function takes its place.
- ``mmrazor/datasets/transforms/formatting.py:3-4`` does the same, so that
  ``PackCRDClsInputs`` cannot be built. Here it is a ``PackInputs`` of
  mmpretrain.
- ``torch.load`` reads weights only since 2.6, and so refuses what MMEngine
  writes (its log history). MMEngine's own types, and no others, join torch's
  list of allowed ones (``torch.serialization.add_safe_globals``).
- ``mmseg::`` paths on the OneDL stack, and ``mmmgd::`` paths anywhere:
  :mod:`mmmgd.config.package_paths`, the one repair that our own modules put in
  place by themselves.
- ``mmrazor/models/task_modules/predictor/handler/base_handler.py:2`` imports
  joblib, which MMRazor does not declare: it belongs in our requirements.
"""

import sys
from functools import partial

import torch
from mmengine.utils import digit_version

from mmmgd.checkpoints.restricted_pickle import TYPES, statistic
from mmmgd.config.package_paths import mend_package_paths

from .finder import MMRazorFinder

__all__ = ['install']

# Each with its name: torch takes plain types off its list again when anybody
# else's `safe_globals(...)` ends that has put the same ones there.
_NAMED = [
    (kind, f'{kind.__module__}.{kind.__qualname__}')
    for kind in TYPES
    if not isinstance(kind, tuple)
] + [(partial(statistic), 'builtins.getattr')]


def install() -> None:
    """Put the repairs in place, once; importing this module does so."""
    present = {type(finder).__name__ for finder in sys.meta_path}
    if MMRazorFinder.__name__ not in present:
        sys.meta_path.insert(0, MMRazorFinder())
    if digit_version(torch.__version__) >= digit_version('2.6'):
        torch.serialization.add_safe_globals(_NAMED)
    mend_package_paths()


install()
