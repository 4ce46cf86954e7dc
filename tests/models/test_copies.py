"""A copy of the model shares the teacher until it is moved."""

import copy

import pytest
import torch


def _teacher_of(model):
    return model.teacher.module.state_dict()


@pytest.fixture
def model(build, distiller_cfg):
    cfg = distiller_cfg()
    cfg['distill']['loss_mgd']['connector']['mask_ratio'] = 0.0
    return build(cfg).eval()


@pytest.mark.parametrize('compiled', [False, True])
def test_a_copy_that_is_moved_leaves_the_teacher_where_it_is(
    build, distiller_cfg, batch, compiled, monkeypatch
):
    if compiled:  # what compiles is not of interest here
        monkeypatch.setattr(torch, 'compile', lambda f, options: f)
    cfg = distiller_cfg()
    cfg['teacher']['compile'] = compiled
    model = build(cfg).eval()
    features = model.teacher.extract(batch[0])['backbone.layer4']
    other = copy.deepcopy(model).double()
    assert {v.dtype for v in _teacher_of(model).values()} == {
        torch.float32, torch.int64
    }  # fmt: skip
    assert {v.dtype for v in _teacher_of(other).values()} == {
        torch.float64, torch.int64
    }  # fmt: skip
    again = model.teacher.extract(batch[0])['backbone.layer4']
    assert torch.equal(again, features)
    doubled = other.teacher.extract(batch[0].double())['backbone.layer4']
    assert doubled.dtype == torch.float64
    torch.testing.assert_close(doubled.float(), features)


def test_the_copy_trains_with_its_own(model, batch):
    other = copy.deepcopy(model).double()
    images, samples = batch
    loss = model(images, samples, mode='loss')['loss_mgd']
    doubled = other(images.double(), samples, mode='loss')['loss_mgd']
    assert doubled.dtype == torch.float64
    torch.testing.assert_close(doubled.float(), loss)


def test_a_copy_that_goes_nowhere_shares_it(model):
    """As the one that EMA makes: no second teacher in memory."""
    other = copy.deepcopy(model)
    assert other.float().cpu().teacher is model.teacher
    model.double()  # the owner moves it for both
    assert other.teacher.module is model.teacher.module


def test_a_copy_on_no_device(model):
    copy.deepcopy(model).to('meta')
    assert {v.device.type for v in _teacher_of(model).values()} == {'cpu'}
