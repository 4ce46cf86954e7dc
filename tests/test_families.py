"""The configs of today's families against a table of them."""

from pathlib import Path

import pytest
from families import FAMILIES

from mmmgd.config import check_config, read_config
from mmmgd.points.pairs import parse_pairs

ROOT = Path(__file__).parents[1] / 'configs'


def _plain(value):
    """Return a config without the scope that a base of a package adds."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if k != '_scope_'}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value


@pytest.mark.parametrize('name', FAMILIES)
def test_what_a_family_says(name):
    base, teacher, mine, theirs, ratio, more = FAMILIES[name]
    cfg = read_config(str(ROOT / name))
    check_config(cfg)
    model = cfg.model
    sizes = {k: more[k] for k in ('input_size', 'multiple_of') if k in more}
    assert _plain(model.teacher) == dict(config=teacher, **sizes)
    assert list(model.distill) == ['loss_mgd']
    entry = model.distill.loss_mgd
    pairs = parse_pairs(entry.points, 'loss_mgd')
    assert [p.student for p in pairs] == mine
    assert [p.teacher for p in pairs] == theirs
    connector = dict(type='mmmgd.MGDConnector', mask_ratio=ratio)
    if 'channel' in name:
        connector['mask_dim'] = 'channel'
    assert _plain(entry.connector) == connector
    assert entry.loss == dict(type='mmmgd.MGDLoss', loss_weight='auto')
    assert entry.get('resize') == more.get('resize')
    assert list(model.get('inherit', [])) == more.get('inherit', [])
    plain = read_config(base)
    assert _plain(model.student) == _plain(plain.model)
    # Schedule, hooks and data are the student's own.
    for key in ('train_cfg', 'param_scheduler', 'custom_hooks',
                'train_dataloader', 'auto_scale_lr'):  # fmt: skip
        assert _plain(cfg.get(key)) == _plain(plain.get(key))
    clip = more.get('clip')
    if clip:
        assert cfg.optim_wrapper.clip_grad == dict(max_norm=clip, norm_type=2)
    else:
        assert _plain(cfg.optim_wrapper) == _plain(plain.optim_wrapper)
