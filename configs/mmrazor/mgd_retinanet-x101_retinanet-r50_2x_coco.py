# MGD driven by MMRazor's algorithm, five FPN levels. Recipe: row 6
# (configs/detection/... is the same in MGDDistill). Unlike MMRazor's own MGD
# config it clips gradients: that one writes a key MMEngine never reads.
# Tools other than ours need `custom_imports`, below.
_base_ = 'mmdet::retinanet/retinanet_r50_fpn_2x_coco.py'

custom_imports = dict(imports=['mmmgd.compat'], allow_failed_imports=False)

levels = [f'fpn{i}' for i in range(5)]
recorders = {
    level: dict(type='ModuleOutputs', source=f'neck.fpn_convs.{i}.conv')
    for i, level in enumerate(levels)
}
teacher_ckpt = 'https://download.openmmlab.com/mmdetection/v2.0/retinanet/retinanet_x101_64x4d_fpn_1x_coco/retinanet_x101_64x4d_fpn_1x_coco_20200130-366f5af1.pth'

# The student's neck and head start from the teacher's weights.
student = _base_.model
for part in ('neck', 'bbox_head'):
    student[part].init_cfg = dict(
        type='Pretrained', prefix=f'{part}.', checkpoint=teacher_ckpt
    )

model = dict(
    _delete_=True,
    _scope_='mmrazor',
    type='FpnTeacherDistill',
    architecture=student,
    teacher=dict(
        cfg_path='mmdet::retinanet/retinanet_x101-64x4d_fpn_1x_coco.py',
        pretrained=False,
    ),
    teacher_ckpt=teacher_ckpt,
    distiller=dict(
        type='ConfigurableDistiller',
        student_recorders=recorders,
        teacher_recorders=recorders,
        connectors={
            level: dict(
                type='mmmgd.MGDConnector',
                mask_ratio=0.65,
                student_channels=256,
                teacher_channels=256,
            )
            for level in levels
        },
        distill_losses={
            f'loss_mgd_{level}': dict(type='mmmgd.MGDLoss', loss_weight=2e-5)
            for level in levels
        },
        loss_forward_mappings={
            f'loss_mgd_{level}': dict(
                preds_S=dict(
                    recorder=level, from_student=True, connector=level
                ),
                preds_T=dict(recorder=level, from_student=False),
            )
            for level in levels
        },
    ),
)

optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))
