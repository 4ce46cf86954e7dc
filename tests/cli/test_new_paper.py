"""``python -m mmmgd new`` for the paper's pairs: it proposes its recipe."""

from pathlib import Path

import pytest

from mmmgd.config import check_config, read_config

ROOT = Path(__file__).parents[2] / 'configs'
R18, R34, R50 = (
    f'mmpretrain::resnet/resnet{d}_8xb32_in1k.py' for d in (18, 34, 50)
)
MOBILENET = str(ROOT / 'classification/mobilenet-v1_8xb32_in1k.py')
CASCADE = 'mmdet::dcn/cascade-mask-rcnn_x101-32x4d-dconv-c3-c5_fpn_1x_coco.py'
REPPOINTS = 'mmdet::reppoints/reppoints-moment_{}_fpn-gn_head-gn_2x_coco.py'
SOLO_TEACHER = str(ROOT / 'instance_segmentation/solo_r101_fpn_3x_coco.py')
PSPNET = 'mmseg::pspnet/pspnet_r101-d8_4xb2-40k_cityscapes-512x1024.py'
CITY = '_r18-d8_8xb2-40k_cityscapes-512x512.py'
CITY_MGD = '-r18_40k_cityscapes-512x512.py'

# The paper's pairs: the shipped config, and what a user would type.
PAPER = {
    'classification/mgd-channel_resnet34_resnet18_8xb32_in1k.py': (R18, R34),
    'classification/mgd-spatial_resnet34_resnet18_8xb32_in1k.py': (
        R18, R34, '--method', 'mgd-spatial'),
    'classification/mgd-channel-wsld_resnet34_resnet18_8xb32_in1k.py': (
        R18, R34, '--method', 'mgd+logits'),
    'classification/mimic_resnet34_resnet18_8xb32_in1k.py': (
        R18, R34, '--method', 'imitate'),
    'classification/mgd-channel_resnet50_mobilenet-v1_8xb32_in1k.py': (
        MOBILENET, R50),
    'classification/mgd-channel_resnet18_resnet18_8xb32_in1k.py': (R18, R18),
    'detection/mgd_retinanet-x101_retinanet-r50_2x_coco.py': (
        'mmdet::retinanet/retinanet_r50_fpn_2x_coco.py',
        'mmdet::retinanet/retinanet_x101-64x4d_fpn_1x_coco.py'),
    'detection/mgd_cascade-mask-rcnn-x101_faster-rcnn-r50_2x_coco.py': (
        'mmdet::faster_rcnn/faster-rcnn_r50_fpn_2x_coco.py', CASCADE),
    'detection/mgd_reppoints-x101_reppoints-r50_2x_coco.py': (
        REPPOINTS.format('r50'), REPPOINTS.format('x101-dconv-c3-c5')),
    'instance_segmentation/mgd_solo-r101_solo-r50_1x_coco.py': (
        'mmdet::solo/solo_r50_fpn_1x_coco.py', SOLO_TEACHER,
        '--teacher-checkpoint', 'checkpoints/solo_r101_fpn_3x_coco.pth'),
    'instance_segmentation/'
    'mgd_cascade-mask-rcnn-x101_mask-rcnn-r50_2x_coco.py': (
        'mmdet::mask_rcnn/mask-rcnn_r50_fpn_2x_coco.py', CASCADE),
    f'semantic_segmentation/mgd_pspnet-r101_pspnet{CITY_MGD}': (
        str(ROOT / f'semantic_segmentation/pspnet{CITY}'), PSPNET),
    f'semantic_segmentation/mgd_pspnet-r101_deeplabv3{CITY_MGD}': (
        str(ROOT / f'semantic_segmentation/deeplabv3{CITY}'), PSPNET),
    f'semantic_segmentation/mgd-cwd_pspnet-r101_pspnet{CITY_MGD}': (
        str(ROOT / f'semantic_segmentation/pspnet{CITY}'), PSPNET,
        '--method', 'mgd+logits'),
}  # fmt: skip


@pytest.mark.parametrize('name', PAPER)
def test_the_papers_pairs_get_the_papers_recipe(name, new):
    """Points, mask, λ, α, clip, inheritance and logits."""
    student, teacher, *options = PAPER[name]
    found, _ = new(student, teacher, '--no-data', *options)
    check_config(found)
    shipped = read_config(str(ROOT / name))
    assert found.model.student == shipped.model.student
    assert found.model.distill == shipped.model.distill
    assert found.model.get('inherit', []) == shipped.model.get('inherit', [])
    assert found.optim_wrapper == shipped.optim_wrapper
    assert found.default_hooks == shipped.default_hooks
    if 'solo' not in name:  # a path there
        assert found.model.teacher == shipped.model.teacher
    assert len(Path('my_distill.py').read_text().splitlines()) < 50
