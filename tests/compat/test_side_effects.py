"""What importing us changes for the rest of the process.

Each check runs in an interpreter of its own, see ``test_compat.py``.
"""

from pathlib import Path

import pytest
from test_compat import run_alone


def state():
    """What compat may change: import hooks, torch's list, MMEngine's table."""
    import sys

    import mmengine.runner  # noqa: F401  (with which torch lists types)
    import torch
    from mmengine.config.utils import MODULE2PACKAGE

    listed = getattr(
        torch.serialization, 'get_safe_globals', lambda: ['not in this torch']
    )
    return (
        [type(finder).__name__ for finder in sys.meta_path],
        sorted(map(str, listed())),
        {
            k: v
            for k, v in MODULE2PACKAGE.items()
            if k not in ('mmmgd', 'mmseg')
        },
    )


def mmseg_package():
    from mmengine.config.utils import MODULE2PACKAGE

    return MODULE2PACKAGE['mmseg']


def check_package() -> None:
    before, package = state(), mmseg_package()
    import mmmgd  # noqa: F401

    assert (state(), mmseg_package()) == (before, package)


def check_registry() -> None:
    before = state()
    import mmmgd.registry  # noqa: F401

    assert state() == before


def check_models_and_hooks() -> None:
    from importlib import import_module

    before = state()
    import_module('mmmgd.models')
    import_module('mmmgd.hooks')
    assert state() == before


def check_config() -> None:
    from importlib.metadata import distribution

    before = state()
    import mmmgd.config  # noqa: F401

    assert state() == before
    distribution(mmseg_package())  # MMEngine finds it


def check_compat() -> None:
    import torch

    before = state()
    import mmmgd.compat

    after = state()
    assert after[0] == ['MMRazorFinder', *before[0]]
    if hasattr(torch.serialization, 'get_safe_globals'):
        assert any('HistoryBuffer' in name for name in after[1])
    mmmgd.compat.install()  # again changes nothing
    assert state() == after


@pytest.mark.parametrize(
    'check',
    [
        check_package,
        check_registry,
        check_models_and_hooks,
        check_config,
        check_compat,
    ],
    ids=lambda f: f.__name__,
)
def test_importing_changes_nothing_unasked(check, tmp_path: Path) -> None:
    run_alone(tmp_path, check, shared=(state, mmseg_package))
