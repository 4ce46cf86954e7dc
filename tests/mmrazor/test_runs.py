"""MMRazor's algorithm, hook and validation loops through a real Runner."""

import pytest
import torch


@pytest.fixture
def run_cfg(classifier_cfg, runner_cfg):
    def _cfg(loop, **changes):
        models = [
            dict(classifier_cfg(w), _scope_='mmpretrain') for w in (4, 6)
        ]
        fc = dict(fc=dict(type='ModuleOutputs', source='head.layers.1.fc'))
        model = dict(
            _scope_='mmrazor',
            type='SingleTeacherDistill',
            architecture=models[0],
            teacher=models[1],
            distiller=dict(
                type='ConfigurableDistiller',
                student_recorders=fc,
                teacher_recorders=fc,
                distill_losses=dict(loss_l2=dict(type='L2Loss')),
                loss_forward_mappings=dict(
                    loss_l2=dict(
                        s_feature=dict(recorder='fc', from_student=True),
                        t_feature=dict(recorder='fc', from_student=False),
                    )
                ),
            ),
        )
        loop = dict(type=f'mmrazor.{loop}', _delete_=True)
        return runner_cfg(model, epochs=2, val_cfg=loop, **changes)

    return _cfg


def _scalars(runner, name):
    return runner.message_hub.get_scalar(name).data[0].tolist()


def test_distillation_stops_and_the_teacher_is_validated(run_cfg, run):
    stop = dict(type='mmrazor.StopDistillHook', stop_epoch=1)
    best = 'default_hooks.checkpoint.save_best'
    cfg = run_cfg(
        'SingleTeacherDistillValLoop', custom_hooks=[stop], **{best: None}
    )
    runner = run(cfg)
    assert runner.model.distillation_stopped
    assert len(_scalars(runner, 'train/distill.loss_l2')) == 12
    assert len(_scalars(runner, 'train/student.loss')) == 24
    found = _scalars(runner, 'val/teacher.accuracy/top1')
    assert len(found) == 2
    # by the plain loop of MMEngine, for the teacher alone
    evaluator, teacher = runner.val_evaluator, runner.model.teacher.eval()
    with torch.no_grad():
        for batch in runner.val_dataloader:
            evaluator.process(teacher.val_step(batch), batch)
    count = len(runner.val_dataloader.dataset)
    assert evaluator.evaluate(count)['accuracy/top1'] == found[-1]


def test_the_file_loads_as_torch_loads_by_default(run_cfg, run, tmp_path):
    best = 'default_hooks.checkpoint.save_best'
    ema = dict(type='EMAHook')
    cfg = run_cfg('SelfDistillValLoop', custom_hooks=[ema], **{best: None})
    runner = run(cfg)
    assert len(_scalars(runner, 'val/student.accuracy/top1')) == 2
    saved = torch.load(tmp_path / 'work' / 'epoch_2.pth')
    assert saved['ema_state_dict']['steps'] == 24
    assert 'train/loss' in saved['message_hub']['log_scalars']
