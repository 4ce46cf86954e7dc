"""The families of configs/README.md, written apart from the configs.

By config: base, teacher, points of the student and of the teacher, λ, and
what else the model says.
"""

_FPN = [f'neck.fpn_convs.{i}.conv' for i in range(5)]
_PAFPN = [f'neck.out_convs.{i}.conv' for i in range(3)]
_STAGES = [f'backbone[{i}]' for i in range(4)]
_DINOV2 = 'mmpretrain::dinov2/vit-{}-p14_dinov2-pre_headless.py'
_RTMDET = 'mmdet::rtmdet/rtmdet_{}_8xb32-300e_coco.py'
_INS = 'mmdet::rtmdet/rtmdet-ins_{}_8xb32-300e_coco.py'
_YOLOX = 'mmdet::yolox/yolox_{}_8xb8-300e_coco.py'
_MASK2FORMER = 'mmdet::mask2former/mask2former_{}_8xb2-lsj-50e_coco.py'
_SEGFORMER = 'mmseg::segformer/segformer_mit-{}_8xb2-160k_ade20k-512x512.py'
_SEGNEXT = 'mmseg::segnext/segnext_mscan-{}_1xb16-adamw-160k_ade20k-512x512.py'
_RESIZED = dict(resize='teacher')

FAMILIES = {
    'classification/mgd-channel_swin-base_resnet18_8xb32_in1k.py': (
        'mmpretrain::resnet/resnet18_8xb32_in1k.py',
        'mmpretrain::swin_transformer/swin-base_16xb64_in1k.py',
        ['backbone.layer4'], ['backbone.norm3'], 0.15, {}),
    'classification/mgd_dinov2-base_convnext-tiny_32xb128_in1k.py': (
        'mmpretrain::convnext/convnext-tiny_32xb128_in1k.py',
        _DINOV2.format('base'),
        ['backbone.stages.3'], ['backbone.ln1'], 0.5, _RESIZED),
    'classification/mgd_dinov2-small_resnet50_8xb32_in1k.py': (
        'mmpretrain::resnet/resnet50_8xb32_in1k.py', _DINOV2.format('small'),
        ['backbone.layer3'], ['backbone.ln1'], 0.5, _RESIZED),
    'detection/mgd_rtmdet-l_rtmdet-tiny_8xb32-300e_coco.py': (
        _RTMDET.format('tiny'), _RTMDET.format('l'),
        _PAFPN, _PAFPN, 0.65, {}),
    'detection/mgd_dinov2-base_rtmdet-tiny_8xb32-300e_coco.py': (
        _RTMDET.format('tiny'), _DINOV2.format('base'),
        _PAFPN[1:2], ['backbone.ln1'], 0.65,
        dict(_RESIZED, multiple_of=14)),
    'detection/mgd_yolox-l_yolox-tiny_8xb8-300e_coco.py': (
        _YOLOX.format('tiny'), _YOLOX.format('l'), _PAFPN, _PAFPN, 0.65, {}),
    'detection/mgd_gfl-r101_gfl-r50_1x_coco.py': (
        'mmdet::gfl/gfl_r50_fpn_1x_coco.py',
        'mmdet::gfl/gfl_r101_fpn_ms-2x_coco.py', _FPN, _FPN, 0.65,
        dict(inherit=['neck', 'bbox_head'], clip=35)),
    'detection/mgd_mask-rcnn-swin-s_faster-rcnn-r50_1x_coco.py': (
        'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
        'mmdet::swin/mask-rcnn_swin-s-p4-w7_fpn_amp-ms-crop-3x_coco.py',
        _FPN[:4], _FPN[:4], 0.45, dict(clip=35)),
    'detection/mgd_dino-swin-l_dino-r50_8xb2-12e_coco.py': (
        'mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py',
        'mmdet::dino/dino-5scale_swin-l_8xb2-36e_coco.py',
        [*(f'neck.convs.{i}.conv' for i in (0, 1, 2)),
         'neck.extra_convs.0.conv'],
        [*(f'neck.convs.{i}.conv' for i in (1, 2, 3)),
         'neck.extra_convs.0.conv'], 0.65, {}),
    'instance_segmentation/'
    'mgd_rtmdet-ins-l_rtmdet-ins-tiny_8xb32-300e_coco.py': (
        _INS.format('tiny'), _INS.format('l'), _PAFPN, _PAFPN, 0.65, {}),
    'instance_segmentation/'
    'mgd_mask2former-swin-s_mask2former-r50_8xb2-lsj-50e_coco.py': (
        _MASK2FORMER.format('r50'), _MASK2FORMER.format('swin-s-p4-w7-224'),
        ['panoptic_head.pixel_decoder.mask_feature'],
        ['panoptic_head.pixel_decoder.mask_feature'], 0.65, {}),
    'semantic_segmentation/'
    'mgd_segformer-b5_segformer-b0_8xb2-160k_ade20k-512x512.py': (
        _SEGFORMER.format('b0'), _SEGFORMER.format('b5'),
        _STAGES, _STAGES, 0.75, {}),
    'semantic_segmentation/'
    'mgd_segnext-l_segnext-t_1xb16-160k_ade20k-512x512.py': (
        _SEGNEXT.format('t'), _SEGNEXT.format('l'),
        _STAGES, _STAGES, 0.75, {}),
    'semantic_segmentation/'
    'mgd_dinov2-large_segformer-b0_8xb2-160k_ade20k-512x512.py': (
        _SEGFORMER.format('b0'), _DINOV2.format('large'),
        ['backbone[2]'], ['backbone.ln1'], 0.75, dict(input_size=448)),
}  # fmt: skip
