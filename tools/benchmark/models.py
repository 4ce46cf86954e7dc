"""What `benchmark.py` times: models of one config, with random weights.

Nothing is downloaded, and images and labels are made up: the time of a step
depends on their number and size, hardly on what they show.
"""

import copy
from collections.abc import Callable
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import InstanceData, PixelData
from torch import Tensor, nn

from mmmgd.config import read_config, student_config, whole_model
from mmmgd.models import MGDConnector, MGDDistill, MGDLoss
from mmmgd.models.term import DistillTerm

# Objects in an image, and pixels of the side of one.
OBJECTS, SIDE = 8, 64


def build_ours(cfg: Config, **teacher: Any) -> MGDDistill:
    """Build the config's model as it is trained, on random weights.

    Args:
        cfg: Config of an MGDDistill.
        teacher: More arguments of the teacher, such as ``dtype``.
    """
    model = whole_model(cfg)
    model.teacher = dict(model.teacher, checkpoint=False, **teacher)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        ours = MODELS.build(model)
    ours.teacher.load()
    return revert_sync_batchnorm(ours).train()


def build_mmrazor(cfg: Config, ours: MGDDistill) -> nn.Module:
    """Build MMRazor's model for the same pair, with its own MGD.

    Args:
        cfg: Config of an MGDDistill.
        ours: The model of that config, for widths.

    Raises:
        ValueError: If a loss of the config is not MGD.
    """
    import mmmgd.compat  # noqa: F401, I001  (before mmrazor)
    import mmrazor.models  # noqa: F401

    teacher = cfg.model.teacher.config
    if isinstance(teacher, str):
        teacher = read_config(teacher)
    elif 'model' not in teacher:
        teacher = dict(model=teacher)
    teacher = dict(
        copy.deepcopy(teacher['model']),
        _scope_=teacher.get('default_scope', cfg.default_scope),
    )
    student = whole_model(student_config(cfg))
    student = dict(student, _scope_=cfg.default_scope)
    # What its MGD config for RetinaNet uses runs no head of the teacher.
    detects = cfg.default_scope == 'mmdet'
    model = dict(
        type='FpnTeacherDistill' if detects else 'SingleTeacherDistill',
        architecture=student,
        teacher=teacher,
        distiller=_distiller(ours),
    )
    with DefaultScope.overwrite_default_scope('mmrazor'):
        built = revert_sync_batchnorm(MODELS.build(model))
    built.train()  # its train() returns nothing
    return built


def _distiller(ours: MGDDistill) -> dict:
    """Translate `distill` for MMRazor's ConfigurableDistiller."""
    parts: dict[str, dict] = {
        key: {}
        for key in (
            'student_recorders',
            'teacher_recorders',
            'connectors',
            'distill_losses',
            'loss_forward_mappings',
        )
    }
    for term in ours.terms.values():
        assert isinstance(term, DistillTerm)
        if not isinstance(term.loss, MGDLoss):
            raise ValueError(
                f'Expected losses of type MGDLoss to compare with MMRazor, '
                f'but got {type(term.loss).__name__}. Take a config without.'
            )
        for name, pair, connector in zip(
            term.log_names, term.pairs, term.connectors, strict=True
        ):
            assert isinstance(connector, MGDConnector)
            key = name.replace('.', '_')
            _add_pair(parts, key, pair, connector, term.loss.loss_weight)
    return dict(type='ConfigurableDistiller', **parts)


def _add_pair(
    parts: dict, key: str, pair: Any, connector: MGDConnector, weight: float
) -> None:
    width = connector.generation[0].in_channels
    align = connector.align
    for side in ('student', 'teacher'):
        parts[f'{side}_recorders'][key] = dict(
            type='ModuleOutputs', source=getattr(pair, side)
        )
    parts['connectors'][key] = dict(
        type='MGDConnector',
        student_channels=width if align is None else align.in_channels,
        teacher_channels=width,
        lambda_mgd=connector.mask_ratio,
        mask_on_channel=connector.mask_dim == 'channel',
    )
    parts['distill_losses'][key] = dict(type='MGDLoss', alpha_mgd=weight)
    parts['loss_forward_mappings'][key] = dict(
        preds_S=dict(from_student=True, recorder=key, connector=key),
        preds_T=dict(from_student=False, recorder=key),
    )


def make_batch(
    scope: str, images: int, size: tuple[int, int], device: str
) -> tuple[Tensor, list]:
    """Make normalised images with labels of the scope's package.

    Args:
        scope: 'mmpretrain', 'mmdet' or 'mmseg'.
        images: Number of images.
        size: Height and width in pixels.
        device: Where they lie.
    """
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(images, 3, *size, generator=generator).to(device)
    label: Callable = {
        'mmpretrain': _class_sample,
        'mmdet': _object_sample,
        'mmseg': _pixel_sample,
    }[scope]
    return inputs, [label(size, generator).to(device) for _ in range(images)]


def _class_sample(size: tuple[int, int], generator: torch.Generator) -> Any:
    from mmpretrain.structures import DataSample

    return DataSample().set_gt_label(0)


def _object_sample(size: tuple[int, int], generator: torch.Generator) -> Any:
    from mmdet.structures import DetDataSample

    corner = torch.rand(OBJECTS, 2, generator=generator)
    corner = corner * (torch.tensor(size[::-1]) - SIDE)
    meta = dict.fromkeys(
        ('img_shape', 'batch_input_shape', 'pad_shape', 'ori_shape'), size
    )
    sample = DetDataSample(metainfo=dict(meta, scale_factor=(1.0, 1.0)))
    sample.gt_instances = InstanceData(
        bboxes=torch.cat((corner, corner + SIDE), 1),
        labels=torch.arange(OBJECTS),
    )
    return sample


def _pixel_sample(size: tuple[int, int], generator: torch.Generator) -> Any:
    from mmseg.structures import SegDataSample

    sample = SegDataSample(metainfo=dict(img_shape=size))
    labels = torch.randint(19, (1, *size), generator=generator)
    sample.gt_sem_seg = PixelData(data=labels)
    return sample
