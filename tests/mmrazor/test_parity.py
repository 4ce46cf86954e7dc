"""One step through MMRazor, with its parts and with ours, and MGDDistill.

The same models, weights, data and masks give the same losses and the same
gradients of the student, task loss included.
"""

import copy

import pytest
import torch
from mmengine.registry import MODELS
from pairs import PAIRS, TEACHER

ALPHA = 1e-3


def _ours(kind):
    scope, _, model, _, points, _, ratio, dim = PAIRS[kind]
    teacher = dict(model=model(TEACHER[kind]), default_scope=scope)
    return dict(
        type='mmmgd.MGDDistill',
        student=dict(model(4), _scope_=scope),
        teacher=dict(config=teacher, checkpoint=False),
        distill=dict(
            loss_mgd=dict(
                points=points,
                connector=dict(
                    type='mmmgd.MGDConnector', mask_ratio=ratio, mask_dim=dim
                ),
                loss=dict(type='mmmgd.MGDLoss', loss_weight=ALPHA),
            )
        ),
    )


def _mmrazor(kind, connector, loss):
    """Config of MMRazor's algorithm around the same two models."""
    scope, algorithm, model, _, points, widths, _, _ = PAIRS[kind]
    connector.update(student_channels=widths[0], teacher_channels=widths[1])
    recorders = {
        f'p{i}': dict(type='ModuleOutputs', source=point)
        for i, point in enumerate(points)
    }
    return dict(
        _scope_='mmrazor',
        type=algorithm,
        architecture=dict(model(4), _scope_=scope),
        teacher=dict(model(TEACHER[kind]), _scope_=scope),
        distiller=dict(
            type='ConfigurableDistiller',
            student_recorders=recorders,
            teacher_recorders=recorders,
            connectors=dict.fromkeys(recorders, connector),
            distill_losses={f'loss_{p}': loss for p in recorders},
            loss_forward_mappings={
                f'loss_{p}': dict(
                    preds_S=dict(recorder=p, from_student=True, connector=p),
                    preds_T=dict(recorder=p, from_student=False),
                )
                for p in recorders
            },
        ),
    )


def _variants(kind):
    """MMRazor with its own connector and loss, and with ours."""
    *_, ratio, dim = PAIRS[kind]
    theirs = _mmrazor(
        kind,
        dict(
            type='MGDConnector',
            lambda_mgd=ratio,
            mask_on_channel=dim == 'channel',
        ),
        dict(type='MGDLoss', alpha_mgd=ALPHA),
    )
    mixed = _mmrazor(
        kind,
        dict(type='mmmgd.MGDConnector', mask_ratio=ratio, mask_dim=dim),
        dict(type='mmmgd.MGDLoss', loss_weight=ALPHA),
    )
    return theirs, mixed


def _seed(i):
    """MMRazor's connector draws from the global stream: say which numbers."""

    def hook(module, args):
        torch.manual_seed(i)

    return hook


def _same_mask(i, width, ratio, dim):
    """Hand our connector the mask that MMRazor's draws from that seed."""

    def hook(module, args, kwargs):
        n, _, h, w = args[0].shape
        torch.manual_seed(i)
        shape = (n, 1, h, w) if dim == 'spatial' else (n, width, 1, 1)
        keep = (torch.rand(shape) <= 1 - ratio).to(args[0])
        assert 0 < keep.mean() < 1 or h * w < 16
        return args, {'mask': keep}

    return hook


def _step(model, student, images, samples):
    """One training step; returns distillation losses and gradients."""
    model.train()
    losses = model(images, copy.deepcopy(samples), mode='loss')
    model.parse_losses(losses)[0].backward()
    names = [k for k in losses if k.startswith(('distill.', 'loss_mgd'))]
    grads = {k: p.grad for k, p in student.named_parameters()}
    assert all(g is not None for g in grads.values())
    return [losses[k].detach() for k in names], grads


def _close(actual, expected, tolerance):
    """Differences, relative to the largest element."""
    scale = expected.abs().max()
    assert (actual - expected).abs().max() <= tolerance * scale + 1e-30


@pytest.mark.parametrize(
    ('dtype', 'tolerance'), [(torch.float64, 1e-9), (torch.float32, 1e-5)]
)
@pytest.mark.parametrize('kind', PAIRS)
def test_three_drivers_agree(kind, dtype, tolerance, build):
    _, _, _, labels, points, widths, ratio, dim = PAIRS[kind]
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, 64, 64, generator=generator, dtype=dtype)
    samples = labels(2)

    ours = build(_ours(kind))
    connectors = ours.terms['loss_mgd'].connectors
    for i, connector in enumerate(connectors):
        connector.register_forward_pre_hook(
            _same_mask(i, widths[1], ratio, dim), with_kwargs=True
        )
    models = [ours.to(dtype)]
    for native, cfg in zip((True, False), _variants(kind), strict=True):
        model = MODELS.build(cfg).to(dtype)
        model.architecture.load_state_dict(ours.student.state_dict())
        model.teacher.load_state_dict(ours.teacher.module.state_dict())
        for i, module in enumerate(model.distiller.connectors.values()):
            module.load_state_dict(connectors[i].state_dict())
            if native:
                module.register_forward_pre_hook(_seed(i))
            else:
                module.register_forward_pre_hook(
                    _same_mask(i, widths[1], ratio, dim), with_kwargs=True
                )
        models.append(model)
    assert type(models[1].distiller.connectors['p0']) is not type(
        connectors[0]
    )
    assert type(models[2].distiller.connectors['p0']) is type(connectors[0])

    expected, gradients = _step(ours, ours.student, images, samples)
    assert len(expected) == len(points)
    for model in models[1:]:
        losses, grads = _step(model, model.architecture, images, samples)
        for loss, reference in zip(losses, expected, strict=True):
            assert loss > 0
            _close(loss, reference, tolerance)
        assert grads.keys() == gradients.keys()
        for key, grad in grads.items():
            _close(grad, gradients[key], tolerance)
    _the_losses_matter(models[1], images, samples, gradients)


def _the_losses_matter(model, images, samples, gradients):
    """Without distillation the gradients are others by far."""
    model.zero_grad()
    model.distillation_stopped = True
    losses, grads = _step(model, model.architecture, images, samples)
    assert losses == []
    key = next(k for k in grads if k.startswith('backbone'))
    difference = (grads[key] - gradients[key]).abs().max()
    assert difference > 1e-2 * gradients[key].abs().max()
