# The student with the teacher's help, driven by MMRazor's algorithm: MGD and
# MMRazor's own WSLD, as in configs/mmrazor/. Needs MMRazor and the teacher.
_base_ = 'classification_baseline.py'

custom_imports = dict(imports=['mmmgd.compat'], allow_failed_imports=False)
data_preprocessor = dict(type='mmpretrain.ClsDataPreprocessor')

student = _base_.model
recorders = dict(
    layer4=dict(type='ModuleOutputs', source='backbone.layer4'),
    fc=dict(type='ModuleOutputs', source='head.fc'),
)
model = dict(
    _delete_=True,
    _scope_='mmrazor',
    type='SingleTeacherDistill',
    architecture=dict(student, _scope_='mmpretrain'),
    # As in classification_teacher.py: MMRazor reads configs of packages only.
    teacher=dict(
        student,
        _scope_='mmpretrain',
        backbone=dict(student.backbone, stem_channels=32, base_channels=32),
        head=dict(student.head, in_channels=256),
    ),
    teacher_ckpt='work_dirs/demo/classification/teacher/last.pth',
    distiller=dict(
        type='ConfigurableDistiller',
        student_recorders=dict(
            labels=dict(type='ModuleInputs', source='head.loss_module'),
            **recorders,
        ),
        teacher_recorders=recorders,
        connectors=dict(
            mgd=dict(
                type='mmmgd.MGDConnector',
                mask_ratio=0.15,
                mask_dim='channel',
                student_channels=32,
                teacher_channels=256,
            )
        ),
        distill_losses=dict(
            loss_mgd=dict(type='mmmgd.MGDLoss', loss_weight=1e-2),
            loss_wsld=dict(type='WSLD', tau=2, loss_weight=1, num_classes=10),
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
