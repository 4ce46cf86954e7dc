# MGD and MMRazor's own channel-wise divergence, driven by MMRazor's algorithm.
# Recipe: row 12 (configs/semantic_segmentation/mgd-cwd_... is the same in
# MGDDistill, but for one thing: MMRazor leaves the teacher's dropout on, so
# that its logits are noisy). Tools other than ours need `custom_imports`.
_base_ = (
    '../semantic_segmentation/deeplabv3_r18-d8_8xb2-40k_cityscapes-512x512.py'
)

custom_imports = dict(imports=['mmmgd.compat'], allow_failed_imports=False)

# MMRazor takes this one, which still pads to 512 x 1024 in mmseg's base.
data_preprocessor = dict(size=_base_.crop_size)

recorders = dict(
    layer4=dict(type='ModuleOutputs', source='backbone.layer4'),
    logits=dict(type='ModuleOutputs', source='decode_head.conv_seg'),
)

model = dict(
    _scope_='mmrazor',
    _delete_=True,
    type='SingleTeacherDistill',
    architecture=_base_.model,
    teacher=dict(
        cfg_path='mmseg::pspnet/pspnet_r101-d8_4xb2-40k_cityscapes-512x1024.py',
        pretrained=True,
    ),
    distiller=dict(
        type='ConfigurableDistiller',
        student_recorders=recorders,
        teacher_recorders=recorders,
        connectors=dict(
            mgd=dict(
                type='mmmgd.MGDConnector',
                mask_ratio=0.75,
                student_channels=512,
                teacher_channels=2048,
            )
        ),
        distill_losses=dict(
            loss_mgd=dict(type='mmmgd.MGDLoss', loss_weight=2e-5),
            loss_cwd=dict(type='ChannelWiseDivergence', tau=4, loss_weight=3),
        ),
        loss_forward_mappings=dict(
            loss_mgd=dict(
                preds_S=dict(
                    recorder='layer4', from_student=True, connector='mgd'
                ),
                preds_T=dict(recorder='layer4', from_student=False),
            ),
            loss_cwd=dict(
                preds_S=dict(recorder='logits', from_student=True),
                preds_T=dict(recorder='logits', from_student=False),
            ),
        ),
    ),
)
