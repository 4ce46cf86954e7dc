import json
from importlib import import_module
from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS, DefaultScope

import mmmgd.compat  # noqa: F401  (MMRazor's gate on mmcv)
from mmmgd.models import AlignConnector, MGDConnector

GOLDEN = json.loads(
    (Path(__file__).parents[1] / 'data' / 'mgd.json').read_text()
)
SCOPES = ['mmengine', 'mmdet', 'mmseg', 'mmpretrain', 'mmrazor']


def _tensor(data, shape):
    return torch.tensor(data, dtype=torch.float64).reshape(shape)


@pytest.mark.parametrize('scope', SCOPES)
@pytest.mark.parametrize('case', GOLDEN, ids=lambda c: c['name'])
def test_golden_numbers_of_the_authors_code(case, scope):
    """Loss and all gradients, made with yzd-v/MGD@2c9da0b in float64.

    The weights are loaded by their published names, strictly.
    """
    if scope == 'mmrazor':  # as its configs write `custom_imports`
        import_module('mmmgd.compat')
    with DefaultScope.overwrite_default_scope(scope):
        connector = MODELS.build(
            dict(
                type='mmmgd.MGDConnector',
                mask_ratio=case['mask_ratio'],
                mask_dim=case['mask_dim'],
                student_channels=case['student_channels'],
                teacher_channels=case['teacher_channels'],
            )
        ).double()
        loss_module = MODELS.build(
            dict(type='mmmgd.MGDLoss', loss_weight=case['loss_weight'])
        )
    state = {
        k: _tensor(v['data'], v['shape'])
        for k, v in case['state_dict'].items()
    }
    connector.load_state_dict(state, strict=True)
    student = _tensor(case['student'], case['student_shape'])
    student.requires_grad_()
    teacher = _tensor(case['teacher'], case['teacher_shape'])
    mask = _tensor(case['keep_mask'], case['mask_shape'])

    loss = loss_module(connector(student, mask), teacher)
    loss.backward()

    close = dict(rtol=1e-6, atol=1e-12)
    assert loss.item() == pytest.approx(case['loss'], rel=1e-6)
    expected = _tensor(case['grad_student'], case['student_shape'])
    torch.testing.assert_close(student.grad, expected, **close)
    gradients = {k: p.grad for k, p in connector.named_parameters()}
    assert set(gradients) == set(case['grad_params']) == set(state)
    for name, gradient in gradients.items():
        expected = _tensor(case['grad_params'][name], gradient.shape)
        torch.testing.assert_close(gradient, expected, **close)


def test_align_is_absent_where_the_widths_agree():
    assert MGDConnector(0.5, 'spatial', 8, 8).align is None
    assert AlignConnector(8, 8).align is None
    assert set(AlignConnector(4, 8).state_dict()) == {
        'align.weight',
        'align.bias',
    }


def test_the_mask_is_applied_after_align():
    """Masked before align, a bias would leak into hidden positions."""
    torch.manual_seed(0)
    connector = MGDConnector(0.5, 'spatial', 3, 5)
    hidden = torch.zeros(1, 1, 6, 6)
    feature = torch.randn(1, 3, 6, 6)
    out = connector(feature, hidden)
    # all hidden: what is left is the generator's answer to zeros
    expected = connector.generation(torch.zeros(1, 5, 6, 6))
    torch.testing.assert_close(out, expected, rtol=0, atol=0)


def test_mimicking_equal_widths_is_the_identity():
    feature = torch.randn(2, 4, 3, 3)
    assert AlignConnector(4, 4)(feature) is feature


def test_masks_disturb_no_other_random_numbers():
    connector = MGDConnector(0.5, 'spatial', 4, 4)
    state = torch.get_rng_state()
    connector(torch.randn(2, 4, 8, 8, generator=torch.Generator()))
    assert torch.equal(torch.get_rng_state(), state)


def test_two_connectors_draw_different_masks_and_a_seed_repeats_them():
    def outputs(seed):
        torch.manual_seed(seed)
        connectors = [MGDConnector(0.5, 'spatial', 4, 4) for _ in range(2)]
        generators = [
            c.mask_stream.next(torch.device('cpu')) for c in connectors
        ]
        return [torch.rand(8, generator=g).tolist() for g in generators]

    first = outputs(1)
    assert first[0] != first[1]
    assert outputs(1) == first != outputs(2)


@pytest.mark.parametrize('ratio', [-0.1, 1.0, 1.5])
def test_a_mask_ratio_out_of_range_is_refused(ratio):
    with pytest.raises(ValueError, match=rf'\[0, 1\), but got {ratio}'):
        MGDConnector(ratio, 'spatial', 4, 4)


def test_other_arguments_out_of_range_are_refused():
    with pytest.raises(ValueError, match="'spatial', 'channel'.*'pixel'"):
        MGDConnector(0.5, 'pixel', 4, 4)
    with pytest.raises(ValueError, match='inferred only inside'):
        MGDConnector(0.5, 'spatial')
    with pytest.raises(TypeError, match='mask_ratio'):
        MGDConnector()
