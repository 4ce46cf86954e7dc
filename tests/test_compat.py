"""Checks of import state, so each group runs in an interpreter of its own.

The source of a check is sent to ``python -c``: it imports all that it uses.
"""

import importlib.util
import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run_alone(folder: Path, *checks: Callable[[], None]) -> None:
    """Run checks in one fresh interpreter, with ``folder`` on its path."""
    code = [inspect.getsource(check) for check in checks]
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


def check_gate() -> None:
    """MMRazor is imported, and what its gate reads is as it was."""
    from importlib import import_module

    import mmmgd.compat  # noqa: F401

    mmrazor = import_module('mmrazor')
    for name in ('structures', 'models', 'engine'):
        import_module(f'mmrazor.{name}')
    import_module('mmrazor.utils').register_all_modules()
    assert mmrazor.__version__ == '1.0.0'
    assert mmrazor.__all__ == ['__version__', 'digit_version']
    assert type(mmrazor.__loader__).__name__ == 'SourceFileLoader'
    mmcv_version = import_module('mmcv.version').__version__
    assert import_module('mmcv').__version__ == mmcv_version


def check_quantization() -> None:
    """Whoever asks for a part of the quantization half is told why not."""
    from importlib import import_module

    import pytest

    for path, name in [
        ('structures.quantization', 'QConfigHandler'),
        ('structures.quantization', 'backend_config'),
        ('models.quantizers', 'OpenVINOQuantizer'),
        ('models.observers', 'LSQObserver'),
        ('models.fake_quants', 'LearnableFakeQuantize'),
        ('models.algorithms.quantization', 'mm_architecture'),
        ('engine.runner.quantization_loops', 'TORCH_observers'),
    ]:
        path = f'mmrazor.{path}'
        text = (
            rf'^{path}\.{name} is absent: torch >= 2\.0 removed names.*'
            'Distillation is not affected'
        )
        assert not hasattr(import_module(path), name)
        with pytest.raises(AttributeError, match=text):
            getattr(import_module(path), name)
        with pytest.raises(ImportError, match=text):
            exec(f'from {path} import {name}')
        with pytest.raises(ImportError, match=text):
            import_module(f'{path}.{name}')

    registries = import_module('mmrazor.registry')
    for registry, name in [
        ('MODELS', 'MMArchitectureQuant'),
        ('MODEL_WRAPPERS', 'MMArchitectureQuantDDP'),
        ('LOOPS', 'PTQLoop'),
        ('LOOPS', 'QATEpochBasedLoop'),
    ]:
        with pytest.raises(ImportError, match=f'{name} is absent: torch >= 2'):
            getattr(registries, registry).build({'type': name})


def check_distillation() -> None:
    """The distillation half has its classes, and hides no placeholder."""
    import sys
    from importlib import import_module

    registries = import_module('mmrazor.registry')
    losses = import_module('mmrazor.models.losses').__all__
    assert len(losses) > 15
    for registry, names in {
        'MODELS': [
            'SingleTeacherDistill',
            'FpnTeacherDistill',
            'SelfDistill',
            'DataFreeDistillation',
            'DAFLDataFreeDistillation',
            'OverhaulFeatureDistillation',
            'ConfigurableDistiller',
            'BYOTDistiller',
            'OFDDistiller',
            'MGDConnector',
            *losses,
        ],
        'HOOKS': ['StopDistillHook'],
        'LOOPS': ['SingleTeacherDistillValLoop', 'SelfDistillValLoop'],
        'TASK_UTILS': [
            'ModuleOutputsRecorder',
            'MethodOutputsRecorder',
            'ParameterRecorder',
            'FunctionOutputsDelivery',
            'MethodOutputsDelivery',
        ],
    }.items():
        for name in names:
            cls = getattr(registries, registry).get(name)
            assert cls is getattr(sys.modules[cls.__module__], name)

    half = (
        'models.algorithms.base',
        'models.algorithms.distill',
        'models.architectures.connectors',
        'models.architectures.generators',
        'models.distillers',
        'models.losses',
        'models.task_modules.delivery',
        'models.task_modules.recorder',
        'engine.hooks',
        'engine.runner.distill_val_loop',
    )
    paths = tuple(f'mmrazor.{path}' for path in half)
    modules = [name for name in sys.modules if name.startswith(paths)]
    assert len(modules) > 40
    hidden = [
        f'{module}.{name}'
        for module in modules
        for name, value in vars(sys.modules[module]).items()
        if 'PlaceHolder' in str(getattr(value, '__qualname__', ''))
    ]
    assert not hidden, hidden


def check_distiller_computes() -> None:
    """A distiller built from a config gives the loss written out by hand."""
    import torch
    from mmrazor.registry import MODELS
    from torch import nn

    distiller = MODELS.build(
        dict(
            type='ConfigurableDistiller',
            student_recorders=dict(
                feature=dict(type='ModuleOutputs', source='0')
            ),
            teacher_recorders=dict(
                feature=dict(type='ModuleOutputs', source='0')
            ),
            connectors=dict(
                mgd=dict(
                    type='MGDConnector', student_channels=4, teacher_channels=8
                )
            ),
            distill_losses=dict(loss_mgd=dict(type='MGDLoss', alpha_mgd=0.5)),
            loss_forward_mappings=dict(
                loss_mgd=dict(
                    preds_S=dict(
                        from_student=True, recorder='feature', connector='mgd'
                    ),
                    preds_T=dict(from_student=False, recorder='feature'),
                )
            ),
        )
    )
    student = nn.Sequential(nn.Conv2d(3, 4, 1))
    teacher = nn.Sequential(nn.Conv2d(3, 8, 1))
    distiller.prepare_from_student(student)
    distiller.prepare_from_teacher(teacher)
    image = torch.randn(2, 3, 5, 5)
    with distiller.student_recorders, distiller.teacher_recorders:
        student_feature, teacher_feature = student(image), teacher(image)
    torch.manual_seed(0)
    loss = distiller.compute_distill_losses()['loss_mgd']
    torch.manual_seed(0)
    restored = distiller.connectors['mgd'](student_feature)
    squares = (restored - teacher_feature).square()  # (2, 8, 5, 5)
    torch.testing.assert_close(loss, 0.5 * squares.sum() / 2)


def check_losses_compute() -> None:
    """KLDivergence, and KDSoftCELoss with the function that mmcls had."""
    import torch
    from mmrazor.registry import MODELS

    student, teacher = torch.randn(2, 6, 10)
    divergence = MODELS.build({'type': 'KLDivergence'})
    assert divergence(teacher, teacher).abs() < 1e-6
    assert divergence(student, teacher) > 1e-3
    loss = MODELS.build({'type': 'KDSoftCELoss', 'tau': 2.0})
    target = (teacher / 2).softmax(-1)
    expected = -(target * (student / 2).log_softmax(-1)).sum(-1).mean() * 4
    torch.testing.assert_close(loss(student, teacher), expected)


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


def check_mmseg_paths() -> None:
    """``mmseg::`` configs are read, and pip is never started."""
    import subprocess
    from pathlib import Path
    from unittest.mock import patch

    import pytest
    from mmengine.config import Config
    from mmengine.config.utils import MODULE2PACKAGE
    from mmengine.hub import get_config

    from mmmgd import compat

    base = 'mmseg::pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-512x1024.py'
    Path('config.py').write_text(f'_base_ = {base!r}')
    with patch.object(subprocess, 'Popen', side_effect=BlockingIOError) as spy:
        assert Config.fromfile('config.py').model.type == 'EncoderDecoder'
        assert get_config(base).model.decode_head.type == 'PSPHead'
        spy.assert_not_called()

        # The spy does see pip, where the table names what is not there.
        MODULE2PACKAGE['mmseg'] = 'not-a-distribution'
        with pytest.raises(BlockingIOError):
            get_config(base)
        assert 'pip' in spy.call_args.args[0]

        spy.reset_mock()
        compat.install()
        assert get_config(base).model.decode_head.type == 'PSPHead'
        spy.assert_not_called()


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


@pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ('mmrazor', 'mmseg'))),
    reason='MMRazor or MMSegmentation is not installed',
)
def test_installed_codebases(tmp_path: Path) -> None:
    run_alone(
        tmp_path,
        check_mmseg_paths,
        check_gate,
        check_quantization,
        check_distillation,
        check_distiller_computes,
        check_losses_compute,
    )


def test_without_mmrazor(tmp_path: Path) -> None:
    run_alone(tmp_path, check_import_is_light, check_not_installed)


def test_mended_upstream_is_left_alone(tmp_path: Path) -> None:
    write_mended_upstream(tmp_path)
    run_alone(tmp_path, check_mended)
