"""mmmgd.compat on the installed MMRazor and MMSegmentation.

The checks run in an interpreter of their own, see ``test_compat.py``.
"""

import importlib.util
from pathlib import Path

import pytest
from test_compat import run_alone


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
