"""The recipes, written from the authors' sources and not from the configs."""

from pathlib import Path

from families import FAMILIES
from mmengine.config import Config

from mmmgd.config import read_config

ROOT = Path(__file__).parents[1] / 'configs'


def names_of(folder: str) -> list[str]:
    """Return the recipes of a folder; families have tests of their own."""
    names = (f'{folder}/{p.name}' for p in (ROOT / folder).glob('*.py'))
    return sorted(name for name in names if name not in FAMILIES)


CLASSIFICATION = names_of('classification')
VITKD = [n for n in CLASSIFICATION if '/vitkd' in n]
CLASSIFICATION = [n for n in CLASSIFICATION if n not in VITKD]
DETECTION = names_of('detection') + names_of('instance_segmentation')
SEGMENTATION = names_of('semantic_segmentation')

# teacher, loss_weight, mask_ratio, mask_dim, logit loss, clip
R18, R34, R50 = (f'resnet{d}_8xb32_in1k.py' for d in (18, 34, 50))
RECIPES = {
    'mgd-channel_resnet34_resnet18': (R34, 7e-5, 0.15, 'channel', None, None),
    'mgd-spatial_resnet34_resnet18': (R34, 7e-5, 0.5, 'spatial', None, None),
    'mgd-channel-wsld_resnet34_resnet18': (
        R34, 7e-5, 0.15, 'channel', 'wsld', None),
    'mgd-channel_resnet50_mobilenet-v1': (
        R50, 7e-5, 0.15, 'channel', None, 5.0),
    'mgd-channel-wsld_resnet50_mobilenet-v1': (
        R50, 7e-5, 0.15, 'channel', 'wsld', 5.0),
    'mgd-channel-nkd_resnet34_resnet18': (
        R34, 7e-5, 0.15, 'channel', 'nkd', None),
    'mgd-channel-nkd_resnet50_mobilenet-v1': (
        R50, 7e-5, 0.15, 'channel', 'nkd', 5.0),
    'mgd-channel_resnet18_resnet18': (R18, 7e-5, 0.15, 'channel', None, None),
    'mimic_resnet34_resnet18': (R34, 7e-5, None, None, None, None),
    'mimic_resnet18_resnet18': (R18, 7e-5, None, None, None, None),
    'mobilenet-v1': None,
}  # fmt: skip
# teacher, its weights if not the first ones that are published for it
DEIT3 = ('deit3/deit3-small-p16_64xb64_in1k.py', 'deit3-small-p16_in21k-pre_')
VITKD_RECIPES = {
    'vitkd_deit3-small': DEIT3,
    'vitkd-nkd_deit3-small': DEIT3,
    'vitkd_deit-base': ('deit/deit-base_16xb64_in1k.py', ''),
}  # fmt: skip
LOGIT_LOSSES = {
    'wsld': dict(type='mmmgd.WSLD', tau=2, loss_weight=2.5),
    'nkd': dict(type='mmmgd.NKDLoss', gamma=1.5, tau=1, loss_weight=1),
}


# student, teacher, loss_weight, mask_ratio, FPN levels, inherit, epochs, lr
CASCADE = 'dcn/cascade-mask-rcnn_x101-32x4d-dconv-c3-c5_fpn_1x_coco.py'
BACKBONE_OUT = ['neck', 'bbox_head']
DETECTION_RECIPES = {
    'detection/mgd_retinanet-x101_retinanet-r50_2x_coco.py': (
        'RetinaNet', 'retinanet/retinanet_x101-64x4d_fpn_1x_coco.py',
        2e-5, 0.65, 5, BACKBONE_OUT, 24, 0.01),
    'detection/mgd_cascade-mask-rcnn-x101_faster-rcnn-r50_2x_coco.py': (
        'FasterRCNN', CASCADE, 5e-7, 0.45, 4, [], 24, 0.02),
    'detection/mgd_reppoints-x101_reppoints-r50_2x_coco.py': (
        'RepPointsDetector',
        'reppoints/reppoints-moment_x101-dconv-c3-c5_fpn-gn_head-gn_2x_coco'
        '.py', 2e-5, 0.65, 5, BACKBONE_OUT, 24, 0.01),
    'instance_segmentation/mgd_solo-r101_solo-r50_1x_coco.py': (
        'SOLO', None, 2e-5, 0.65, 4, ['neck', 'mask_head'], 12, 0.01),
    'instance_segmentation/'
    'mgd_cascade-mask-rcnn-x101_mask-rcnn-r50_2x_coco.py': (
        'MaskRCNN', CASCADE, 5e-7, 0.45, 4, [], 24, 0.02),
    'instance_segmentation/solo_r101_fpn_3x_coco.py': None,
}  # fmt: skip

# student's decode head; everything else is the same in all of them
SEGMENTATION_HEADS = {'pspnet': 'PSPHead', 'deeplabv3': 'ASPPHead'}


def read(name: str) -> Config:
    """Return the config of that name."""
    return read_config(str(ROOT / name))
