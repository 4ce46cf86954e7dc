import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from mmmgd.checkpoints.state_dicts import read_state_dict, sub_state

WEIGHTS = {'backbone.conv.weight': torch.arange(6.0).reshape(2, 3)}


def _prefixed(prefix):
    return {prefix + k: v for k, v in WEIGHTS.items()}


@pytest.mark.parametrize(
    'content',
    [
        WEIGHTS,
        {'state_dict': WEIGHTS, 'meta': {'epoch': 3}},
        {'model': WEIGHTS},
        {'model_ema': WEIGHTS, 'model': {'other': torch.zeros(1)}},
        {'state_dict': _prefixed('module.')},
        {'state_dict': _prefixed('student.')},
        {'state_dict': _prefixed('module.architecture.')},
        {
            'state_dict': {
                **_prefixed('architecture.'),
                'teacher.backbone.conv.weight': torch.ones(1),
                'distiller.x': torch.ones(1),
            }
        },
    ],
    ids=[
        'plain', 'state_dict', 'model', 'ema', 'module', 'student',
        'module.architecture', 'mmrazor',
    ],
)  # fmt: skip
def test_accepted_layouts(content, tmp_path):
    path = str(tmp_path / 'x.pth')
    torch.save(content, path)
    state = read_state_dict(path)
    assert set(state) == set(WEIGHTS)
    assert torch.equal(*(s['backbone.conv.weight'] for s in (state, WEIGHTS)))


def test_what_mmengine_writes_beside_the_weights_is_read(
    tmp_path, monkeypatch
):
    path = str(tmp_path / 'x.pth')
    history = HistoryBuffer([1.0, 2.0], [1, 1])
    hub = {'log_scalars': {'loss': history}, 'best': np.float64(0.5)}
    torch.save({'state_dict': WEIGHTS, 'message_hub': hub}, path)
    # As in a fresh process: the class fills this when the first is made.
    monkeypatch.setattr(HistoryBuffer, '_statistics_methods', {})
    assert set(read_state_dict(path)) == set(WEIGHTS)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='no such file'):
        read_state_dict(str(tmp_path / 'missing.pth'))


def test_a_file_without_weights_is_refused(tmp_path):
    path = str(tmp_path / 'x.pth')
    torch.save({'epoch': 3, 'optimizer': {}}, path)
    with pytest.raises(ValueError, match=r"keys \['epoch', 'optimizer'\]"):
        read_state_dict(path)


def test_sub_state_keeps_the_versions_of_modules():
    module = torch.nn.Sequential(torch.nn.BatchNorm2d(2))
    outer = torch.nn.ModuleDict({'student': module})
    inner = sub_state(outer.state_dict(), 'student.')
    plain = module.state_dict()
    assert list(inner) == list(plain)
    assert inner._metadata == plain._metadata
