"""``clip_grad`` takes the student's norm, and the connectors' by itself."""

import copy

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, OPTIM_WRAPPERS

from mmmgd.engine.clip import clip_apart

KINDS = [
    'OptimWrapper',
    'mmmgd.CPUAmpOptimWrapper',
    pytest.param(
        'AmpOptimWrapper',
        marks=pytest.mark.skipif(
            not torch.cuda.is_available(), reason='needs CUDA'
        ),
    ),
]


def _gradients(model, batch, kind, count, clip):
    """The gradients with which the optimizer steps: student's, terms'."""
    torch.manual_seed(0)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    wrapper = OPTIM_WRAPPERS.build(
        dict(
            type=kind,
            optimizer=optimizer,
            accumulative_counts=count,
            clip_grad=clip and dict(clip),
        )
    )
    clip_apart(wrapper, model.terms)
    seen = []
    sides = model.student, model.terms
    optimizer.register_step_pre_hook(
        lambda *_: seen.append(
            [[p.grad.clone() for p in side.parameters()] for side in sides]
        )
    )
    for _ in range(count):
        with wrapper.optim_context(model):
            loss, _ = model.parse_losses(model(*batch, mode='loss'))
        wrapper.update_params(loss)
    (gradients,) = seen
    return gradients


def _norm(tensors):
    return torch.stack([t.norm() for t in tensors]).norm()


@pytest.mark.parametrize('weight', [1e-3, 10.0])
@pytest.mark.parametrize('count', [1, 2])
@pytest.mark.parametrize('kind', KINDS)
def test_each_side_is_cut_by_its_own_norm(
    kind, count, weight, build, distiller_cfg, batch
):
    cfg = distiller_cfg()
    cfg['distill']['loss_mgd']['loss']['loss_weight'] = weight
    device = 'cuda' if kind == 'AmpOptimWrapper' else 'cpu'
    model = build(cfg).to(device).train()
    batch = batch[0].to(device), [sample.to(device) for sample in batch[1]]
    free = _gradients(copy.deepcopy(model), batch, kind, count, None)
    norms = [_norm(side) for side in free]
    assert norms[0] != norms[1]
    limit = 0.5 * min(norms).item()  # cuts both
    cut = _gradients(model, batch, kind, count, dict(max_norm=limit))
    for before, after, norm in zip(free, cut, norms, strict=True):
        for a, b in zip(before, after, strict=True):
            torch.testing.assert_close(a * limit / norm, b)


def test_clipping_by_value_stays_as_it_is(build, distiller_cfg, batch):
    model = build(distiller_cfg()).train()
    clip = dict(type='value', clip_value=1e-4)
    for side in _gradients(model, batch, 'OptimWrapper', 1, clip):
        assert max(g.abs().max() for g in side) == torch.tensor(1e-4)


@HOOKS.register_module(force=True)
class NoteNorms(Hook):
    """Notes the student's norm at each step of the optimizer."""

    def before_train(self, runner):
        self.norms = []
        student = getattr(runner.model, 'student', runner.model)
        runner.optim_wrapper.optimizer.register_step_pre_hook(
            lambda *_: self.norms.append(
                _norm([p.grad for p in student.parameters()]).item()
            )
        )


def _noted(runner):
    """Norms before clipping, from the log, and after."""
    log = runner.message_hub.get_scalar('train/grad_norm').data[0]
    (hook,) = [h for h in runner.hooks if isinstance(h, NoteNorms)]
    return log.tolist(), hook.norms


def _clipped(cfg, max_norm):
    cfg.optim_wrapper.clip_grad = dict(max_norm=max_norm, norm_type=2)
    cfg.custom_hooks = [dict(type='NoteNorms')]
    return cfg


def test_a_config_needs_no_more_than_clip_grad(run, runner_cfg, distiller_cfg):
    """Whatever the connectors' norm, the student's step has that length."""
    model = distiller_cfg()
    model['distill']['loss_mgd']['loss']['loss_weight'] = 0.1
    cfg = _clipped(runner_cfg(model, epochs=2), 0.01)
    whole = run(copy.deepcopy(cfg))
    before, after = _noted(whole)
    assert len(before) == len(after) == 24 and min(before) > 0.01
    assert after == pytest.approx([0.01] * 24, rel=1e-3)
    half = copy.deepcopy(cfg)
    half.work_dir += '_resumed'
    half.train_cfg.max_epochs = 1
    run(copy.deepcopy(half))
    half.train_cfg.max_epochs = 2
    resumed = run(half, resume=True)
    assert _noted(resumed)[1] == after[12:]
    ours, theirs = whole.model.state_dict(), resumed.model.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_without_weight_the_log_and_the_student_are_a_plain_runs(
    run, runner_cfg, distiller_cfg, classifier_cfg
):
    model = distiller_cfg()
    model['distill']['loss_mgd']['loss']['loss_weight'] = 0.0
    ours = run(_clipped(runner_cfg(model), 0.5))
    plain = run(_clipped(runner_cfg(classifier_cfg()), 0.5))
    assert _noted(ours) == _noted(plain)
    student, state = ours.model.student.state_dict(), plain.model.state_dict()
    assert all(torch.equal(student[key], state[key]) for key in state)


def test_a_second_run_of_the_optimizer_replaces_the_first(
    build, distiller_cfg
):
    model = build(distiller_cfg())
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    wrapper = OPTIM_WRAPPERS.build(
        dict(
            type='OptimWrapper',
            optimizer=optimizer,
            clip_grad=dict(max_norm=1.0),
        )
    )
    plain = wrapper.clip_func
    for _ in range(2):
        clip_apart(wrapper, model.terms)
        assert wrapper.clip_func.args[0] is plain
