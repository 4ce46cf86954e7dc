"""mmmgd.compat without MMRazor, and on an upstream that is mended.

These are checks of import state, so each group runs in an interpreter of its
own. The source of a check is sent to ``python -c``: it imports all it uses.
"""

import inspect
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run_alone(
    folder: Path, *checks: Callable[[], None], shared: Sequence[Callable] = ()
) -> None:
    """Run checks in one fresh interpreter, with ``folder`` on its path."""
    code = [inspect.getsource(part) for part in (*shared, *checks)]
    code += [f'{check.__name__}()' for check in checks] + ['print("passed")']
    paths = [str(folder), str(ROOT), os.environ.get('PYTHONPATH', '')]
    env = {**os.environ, 'OMP_NUM_THREADS': '1'}
    env['PYTHONPATH'] = os.pathsep.join(filter(None, paths))
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', '\n'.join(code)],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith('passed\n')


def check_import_is_light() -> None:
    """Compat imports no codebase, and leaves one finder however imported."""
    import importlib
    import sys

    import mmmgd.compat

    codebases = {'mmcv', 'mmdet', 'mmseg', 'mmpretrain', 'mmrazor'}
    assert not codebases & set(sys.modules)
    importlib.reload(mmmgd.compat)
    del sys.modules['mmmgd.compat']
    importlib.import_module('mmmgd.compat')
    names = [type(finder).__name__ for finder in sys.meta_path]
    assert names.count('MMRazorFinder') == 1


def check_not_installed() -> None:
    """Without MMRazor, Python's own error comes."""
    import importlib
    import sys
    from importlib.machinery import PathFinder

    import pytest

    class Without(PathFinder):
        @classmethod
        def find_spec(cls, name, path=None, target=None):  # type: ignore
            if name.partition('.')[0] == 'mmrazor':
                return None
            return super().find_spec(name, path, target)

    sys.meta_path[sys.meta_path.index(PathFinder)] = Without
    with pytest.raises(ModuleNotFoundError, match="No module named 'mmrazor'"):
        importlib.import_module('mmrazor')


def check_mended() -> None:
    """What works upstream is left alone (see ``write_mended_upstream``)."""
    import sys
    from importlib import import_module

    import pytest

    def import_afresh() -> object:
        for name in [n for n in sys.modules if n.startswith('mmrazor')]:
            del sys.modules[name]
        return import_module('mmrazor')

    mmcv = import_module('mmcv')
    early = import_module('mmrazor')
    import_module('mmmgd.compat')
    assert import_module('mmrazor') is early

    vars(mmcv)['__version__'] = '1.7.0'
    with pytest.raises(AssertionError, match='MMCV==1.7.0'):
        import_afresh()
    vars(mmcv)['__version__'] = '9.9.0'
    assert import_afresh() is not early
    assert mmcv.__version__ == '9.9.0'

    quantization = import_module('mmrazor.structures.quantization')
    assert quantization.QConfigHandler is dict
    observers = import_module('mmrazor.models.observers')
    assert observers.LSQObserver is list
    assert not hasattr(observers, '__getattr__')
    losses = import_module('mmrazor.models.losses.kd_soft_ce_loss')
    assert losses.soft_cross_entropy is losses.mmcls_function


def write_mended_upstream(folder: Path) -> None:
    """Write an mmcv and an MMRazor whose parts all run."""
    gate = """
        import mmcv
        from mmengine.utils import digit_version
        mmcv_maximum_version = '2.1.0'
        mmcv_version = digit_version(mmcv.__version__)
        assert (digit_version('2.0.0') <= mmcv_version
                <= digit_version(mmcv_maximum_version)), (
            f'MMCV=={mmcv.__version__}')"""
    losses = """
        def mmcls_function(): pass
        soft_cross_entropy = mmcls_function"""
    for name, text in {
        'mmcv/__init__.py': '__version__ = "2.1.0"',
        'mmrazor/__init__.py': gate,
        'mmrazor/structures/__init__.py': '',
        'mmrazor/structures/quantization.py': 'QConfigHandler = dict',
        'mmrazor/models/__init__.py': '',
        'mmrazor/models/observers.py': 'LSQObserver = list',
        'mmrazor/models/losses/__init__.py': '',
        'mmrazor/models/losses/kd_soft_ce_loss.py': losses,
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(inspect.cleandoc(text))


def test_without_mmrazor(tmp_path: Path) -> None:
    run_alone(tmp_path, check_import_is_light, check_not_installed)


def test_mended_upstream_is_left_alone(tmp_path: Path) -> None:
    write_mended_upstream(tmp_path)
    run_alone(tmp_path, check_mended)
