"""Students and teachers that people use, as upstream ships them.

By package: (config of the student, teacher, height and width of the images).
"""

import warnings

import torch
from mmengine.logging import MessageHub

from mmmgd.config import whole_model
from mmmgd.points.blank import blank_samples

_CLS_TEACHERS = dict(
    r34='resnet/resnet34_8xb32_in1k.py',
    swin='swin_transformer/swin-tiny_16xb64_in1k.py',
    deit='deit/deit-small_4xb256_in1k.py',
    dinov2='dinov2/vit-small-p14_dinov2-pre_headless.py',
    convnext='convnext/convnext-tiny_32xb128_in1k.py',
)
_DET_TEACHERS = dict(
    retinanet='retinanet/retinanet_r50_fpn_1x_coco.py',
    swin='swin/mask-rcnn_swin-t-p4-w7_fpn_1x_coco.py',
    gfl='gfl/gfl_r50_fpn_1x_coco.py',
    rtmdet='rtmdet/rtmdet_s_8xb32-300e_coco.py',
    dino='dino/dino-4scale_r50_8xb2-12e_coco.py',
)
_SEG_TEACHERS = dict(
    r50='pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-512x1024.py',
    mit='segformer/segformer_mit-b1_8xb2-160k_ade20k-512x512.py',
    swin='swin/swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_ade20k-'
    '512x512.py',
    segnext='segnext/segnext_mscan-s_1xb16-adamw-160k_ade20k-512x512.py',
)

_PAIRS = {
    'mmpretrain': (_CLS_TEACHERS, [
        ('resnet/resnet18_8xb32_in1k.py', 'swin', 224),
        ('mobilenet_v2/mobilenet-v2_8xb32_in1k.py', 'r34', 96),
        ('mobilenet_v3/mobilenet-v3-small_8xb128_in1k.py', 'dinov2', 224),
        ('shufflenet_v2/shufflenet-v2-1x_16xb64_in1k.py', 'r34', 96),
        ('efficientnet/efficientnet-b0_8xb32_in1k.py', 'convnext', 96),
        ('regnet/regnetx-400mf_8xb128_in1k.py', 'r34', 96),
        ('densenet/densenet121_4xb256_in1k.py', 'r34', 96),
        ('repvgg/repvgg-A0_8xb32_in1k.py', 'deit', 224),
        ('hrnet/hrnet-w18_4xb32_in1k.py', 'r34', 96),
        ('convnext/convnext-tiny_32xb128_in1k.py', 'dinov2', 224),
        ('convnext_v2/convnext-v2-atto_32xb32_in1k.py', 'swin', 224),
        ('swin_transformer/swin-tiny_16xb64_in1k.py', 'deit', 224),
        ('swin_transformer_v2/swinv2-tiny-w8_16xb64_in1k-256px.py',
         'convnext', 256),
        ('vision_transformer/vit-base-p16_64xb64_in1k.py', 'dinov2', 224),
        ('deit/deit-tiny_4xb256_in1k.py', 'r34', 224),
        ('deit/deit-tiny-distilled_4xb256_in1k.py', 'deit', 224),
        ('t2t_vit/t2t-vit-t-14_8xb64_in1k.py', 'deit', 224),
        ('poolformer/poolformer-s12_32xb128_in1k.py', 'swin', 224),
        ('mobilevit/mobilevit-xxsmall_8xb128_in1k.py', 'r34', 128),
        ('edgenext/edgenext-xxsmall_8xb256_in1k.py', 'r34', 128),
        ('davit/davit-tiny_4xb256_in1k.py', 'r34', 224),
        ('tinyvit/tinyvit-5m_8xb256_in1k.py', 'swin', 224),
        ('van/van-tiny_8xb128_in1k.py', 'r34', 96),
    ]),
    'mmdet': (_DET_TEACHERS, [
        ('retinanet/retinanet_r18_fpn_1x_coco.py', 'swin', 224),
        ('faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', 'swin', 224),
        ('mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py', 'retinanet', 128),
        ('fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py', 'retinanet', 128),
        ('atss/atss_r50_fpn_1x_coco.py', 'gfl', 128),
        ('gfl/gfl_r50_fpn_1x_coco.py', 'retinanet', 128),
        ('rtmdet/rtmdet_tiny_8xb32-300e_coco.py', 'rtmdet', 128),
        ('rtmdet/rtmdet-ins_tiny_8xb32-300e_coco.py', 'rtmdet', 128),
        ('yolox/yolox_tiny_8xb8-300e_coco.py', 'rtmdet', 128),
        ('yolo/yolov3_mobilenetv2_8xb24-320-300e_coco.py', 'gfl', 128),
        ('ssd/ssd300_coco.py', 'retinanet', 300),
        ('detr/detr_r18_8xb2-500e_coco.py', 'dino', 128),
        ('deformable_detr/deformable-detr_r50_16xb2-50e_coco.py', 'dino',
         128),
        ('dino/dino-4scale_r50_8xb2-12e_coco.py', 'dino', 256),
        ('mask2former/mask2former_r50_8xb2-lsj-50e_coco.py', 'swin', 224),
        ('condinst/condinst_r50_fpn_ms-poly-90k_coco_instance.py', 'swin',
         224),
        ('solov2/solov2-light_r18_fpn_ms-3x_coco.py', 'gfl', 128),
        ('centernet/centernet_r18_8xb16-crop512-140e_coco.py', 'gfl', 128),
        ('yolof/yolof_r50-c5_8xb8-1x_coco.py', 'retinanet', 128),
        ('tood/tood_r50_fpn_1x_coco.py', 'gfl', 128),
        ('swin/mask-rcnn_swin-t-p4-w7_fpn_1x_coco.py', 'retinanet', 224),
        ('convnext/mask-rcnn_convnext-t-p4-w7_fpn_amp-ms-crop-3x_coco.py',
         'swin', 224),
        ('pvt/retinanet_pvtv2-b0_fpn_1x_coco.py', 'retinanet', 128),
    ]),
    'mmseg': (_SEG_TEACHERS, [
        ('pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py', 'mit', 128),
        ('deeplabv3plus/deeplabv3plus_r18-d8_4xb2-80k_cityscapes-512x1024.py',
         'r50', 128),
        ('fcn/fcn_r18-d8_4xb2-80k_cityscapes-512x1024.py', 'segnext', 128),
        ('segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py', 'mit',
         128),
        ('segnext/segnext_mscan-t_1xb16-adamw-160k_ade20k-512x512.py',
         'segnext', 128),
        ('bisenetv1/bisenetv1_r18-d32-in1k-pre_4xb4-160k_cityscapes-1024x1024'
         '.py', 'r50', 128),
        ('bisenetv2/bisenetv2_fcn_4xb4-160k_cityscapes-1024x1024.py', 'r50',
         128),
        ('pidnet/pidnet-s_2xb6-120k_1024x1024-cityscapes.py', 'r50', 128),
        ('upernet/upernet_r18_4xb4-160k_ade20k-512x512.py', 'swin', 224),
        ('swin/swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_ade20k-'
         '512x512.py', 'mit', 224),
        ('vit/vit_deit-s16_upernet_8xb2-160k_ade20k-512x512.py', 'mit', 128),
        ('mask2former/mask2former_r50_8xb2-160k_ade20k-512x512.py', 'swin',
         224),
        ('fastscnn/fast_scnn_8xb4-160k_cityscapes-512x1024.py', 'r50', 128),
        ('ddrnet/ddrnet_23-slim_in1k-pre_2xb6-120k_cityscapes-1024x1024.py',
         'r50', 128),
        ('stdc/stdc1_in1k-pre_4xb12-80k_cityscapes-512x1024.py', 'r50', 128),
        ('cgnet/cgnet_fcn_4xb4-60k_cityscapes-680x680.py', 'mit', 128),
        ('erfnet/erfnet_fcn_4xb4-160k_cityscapes-512x1024.py', 'r50', 128),
        ('mobilenet_v3/mobilenet-v3-d8-s_lraspp_4xb4-320k_cityscapes-512x1024'
         '.py', 'r50', 416),  # its head pools 49x49 positions
        ('ocrnet/ocrnet_hr18s_4xb2-40k_cityscapes-512x1024.py', 'r50', 128),
        ('icnet/icnet_r18-d8-in1k-pre_4xb2-80k_cityscapes-832x832.py', 'mit',
         128),
        ('twins/twins_pcpvt-s_fpn_fpnhead_8xb4-80k_ade20k-512x512.py', 'mit',
         128),
        ('poolformer/fpn_poolformer_s12_8xb4-40k_ade20k-512x512.py', 'mit',
         128),
    ]),
}  # fmt: skip

PAIRS = {
    f'{package}-{student.rpartition("/")[2].removesuffix(".py")}': (
        f'{package}::{student}',
        f'{package}::{teachers[teacher]}',
        size,
    )
    for package, (teachers, rows) in _PAIRS.items()
    for student, teacher, size in rows
}


def without_downloads(cfg, size: int) -> dict:
    """Return a config's model without weights to download, for that size."""
    model = whole_model(cfg)

    def clean(part):
        if isinstance(part, dict):
            for key in ('init_cfg', 'pretrained'):
                if 'checkpoint' in str(part.get(key)) or key == 'pretrained':
                    part.pop(key, None)
            for value in part.values():
                clean(value)
        elif isinstance(part, list):
            for value in part:
                clean(value)

    clean(model)
    preprocessor = model.get('data_preprocessor') or {}
    preprocessor.pop('batch_augments', None)
    if 'size' in preprocessor:
        preprocessor['size'] = (size, size)
    return model


def assert_takes_a_step(model, size: int) -> None:
    """A blank batch has finite losses, and ours reach the student."""
    model.init_weights()  # level embeddings of DETRs are not even numbers
    model.train()
    # As the Runner does: TOOD asks for it.
    MessageHub.get_current_instance().update_info('epoch', 0)
    images = torch.randn(2, model.seen.channels, size, size)
    sizes = [(size, size)] * 2
    samples = blank_samples(model.student, (size, size), sizes)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        losses = model(images, samples, mode='loss')
    ours = [losses[n] for n in model.terms['loss_mgd'].log_names]
    assert all(loss.isfinite() and loss > 0 for loss in ours)
    sum(ours).backward()
    grads = [p.grad for p in model.student.parameters() if p.grad is not None]
    assert grads and all(g.isfinite().all() for g in grads)
    assert any(g.abs().sum() > 0 for g in grads)
    total, _ = model.parse_losses(losses)
    assert total.isfinite()
