# MGD, channel mask, with MMRazor's own WSLD, driven by MMRazor's algorithm.
# Recipe: row 4 (configs/classification/mgd-channel-wsld_... is the same in
# MGDDistill). Tools other than ours need `custom_imports`, below.
_base_ = 'mmpretrain::resnet/resnet18_8xb32_in1k.py'

custom_imports = dict(imports=['mmmgd.compat'], allow_failed_imports=False)

# MMRazor builds it without MMPretrain's default.
data_preprocessor = dict(type='mmpretrain.ClsDataPreprocessor')

model = dict(
    _delete_=True,
    _scope_='mmrazor',
    type='SingleTeacherDistill',
    architecture=_base_.model,
    teacher=dict(
        cfg_path='mmpretrain::resnet/resnet34_8xb32_in1k.py', pretrained=True
    ),
    distiller=dict(
        type='ConfigurableDistiller',
        student_recorders=dict(
            layer4=dict(type='ModuleOutputs', source='backbone.layer4'),
            fc=dict(type='ModuleOutputs', source='head.fc'),
            labels=dict(type='ModuleInputs', source='head.loss_module'),
        ),
        teacher_recorders=dict(
            layer4=dict(type='ModuleOutputs', source='backbone.layer4'),
            fc=dict(type='ModuleOutputs', source='head.fc'),
        ),
        connectors=dict(
            mgd=dict(
                type='mmmgd.MGDConnector',
                mask_ratio=0.15,
                mask_dim='channel',
                student_channels=512,
                teacher_channels=512,
            )
        ),
        distill_losses=dict(
            loss_mgd=dict(type='mmmgd.MGDLoss', loss_weight=7e-5),
            loss_wsld=dict(type='WSLD', tau=2, loss_weight=2.5),
        ),
        loss_forward_mappings=dict(
            loss_mgd=dict(
                preds_S=dict(
                    recorder='layer4', from_student=True, connector='mgd'
                ),
                preds_T=dict(recorder='layer4', from_student=False),
            ),
            loss_wsld=dict(
                student=dict(recorder='fc', from_student=True),
                teacher=dict(recorder='fc', from_student=False),
                gt_labels=dict(
                    recorder='labels', from_student=True, data_idx=1
                ),
            ),
        ),
    ),
)
