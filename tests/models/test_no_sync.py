"""A step asks the device for nothing but what the student asks for.

Each such question makes the processor wait for a GPU. They are counted as
operators, which needs no GPU: reading a number, and shapes that depend on
values.
"""

import copy
from collections import Counter

import pytest
from torch.utils._python_dispatch import TorchDispatchMode

WAITS = {'_local_scalar_dense', 'nonzero', 'masked_select', 'unique2'}


class CountWaits(TorchDispatchMode):
    """Counts the operators that wait for the device."""

    def __init__(self):
        super().__init__()
        self.counts = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        if name in WAITS:
            self.counts[name] += 1
        return func(*args, **(kwargs or {}))


def _waits(model, batch):
    """Of a forward and a backward pass, after a first one."""
    for _ in range(2):
        with CountWaits() as mode:
            losses = model(*batch, mode='loss')
            loss, _ = model.parse_losses(losses)
            loss.backward()
    return mode.counts


def _entry(**changes):
    entry = dict(
        points='backbone.layer4',
        # on a GPU None is False; on a CPU the visible positions are counted
        connector=dict(
            type='mmmgd.MGDConnector',
            mask_ratio=0.5,
            mask_dim='spatial',
            cheap=False,
        ),
        loss=dict(type='mmmgd.MGDLoss', loss_weight=1e-3),
    )
    entry['connector'].update(changes.pop('connector', {}))
    return {**entry, **changes}


@pytest.mark.parametrize(
    'distill',
    [
        dict(loss_mgd=_entry()),
        dict(loss_mgd=_entry(points=['backbone.layer3', 'backbone.layer4'])),
        dict(
            loss_mgd=_entry(connector=dict(mask_dim='channel')),
            loss_kd=dict(
                points='head.layers.1',
                loss=dict(type='mmmgd.KLDivergence', tau=4, loss_weight=1),
            ),
        ),
        dict(loss_mgd=_entry(connector=dict(mask='fixed'))),
        dict(loss_mgd=_entry(connector=dict(mask='attention'))),
        dict(loss_mgd=_entry(connector=dict(sample=0.25), every=2)),
        dict(loss_mgd=_entry(until=5, decay_from=1)),
        dict(
            loss_mgd=_entry(
                points=dict(
                    student='backbone.layer3', teacher='backbone.layer4'
                ),
                resize='teacher',
            )
        ),
    ],
    ids=[
        'one',
        'two points',
        'channels and logits',
        'fixed',
        'attention',
        'economies',
        'schedule',
        'resize',
    ],
)
def test_it_waits_as_often_as_the_student(
    build, distiller_cfg, batch, distill
):
    model = build(distiller_cfg(distill=distill)).train()
    expected = _waits(copy.deepcopy(model.student), batch)
    assert _waits(model, batch) == expected


def test_a_question_is_seen(build, distiller_cfg, batch):
    """The visible positions are counted where that pays, on a CPU."""
    distill = dict(loss_mgd=_entry(connector=dict(cheap=True)))
    model = build(distiller_cfg(distill=distill)).train()
    assert _waits(model, batch)['nonzero'] > 0


def _waits_of_an_epoch(run, cfg):
    """Of twelve steps of a Runner with all hooks, validation aside."""
    totals = []
    for epochs in (1, 2):
        cfg = copy.deepcopy(cfg)
        cfg.train_cfg.update(max_epochs=epochs, val_interval=9)
        cfg.default_hooks.checkpoint.update(interval=9, save_last=False)
        with CountWaits() as mode:
            run(cfg)
        totals.append(mode.counts)
    return totals[1] - totals[0]


def test_the_hooks_of_a_run_add_none_to_a_step(
    run, runner_cfg, distiller_cfg, classifier_cfg
):
    """MMEngine reads each loss it logs; we read at the line of the log."""
    model = distiller_cfg(distill=dict(loss_mgd=_entry()))
    plain, ours = (
        _waits_of_an_epoch(run, runner_cfg(one))
        for one in (classifier_cfg(), model)
    )
    assert plain['_local_scalar_dense'] >= 12
    more = ours - plain
    assert more.keys() == {'_local_scalar_dense'}
    assert 12 <= more['_local_scalar_dense'] < 24
