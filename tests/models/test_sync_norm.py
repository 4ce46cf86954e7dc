"""SyncBN: replaced where it has nobody to talk to, kept where it has."""

import logging

import pytest
import torch
from mmengine.logging import MMLogger

from mmmgd.models import sync_norm
from mmmgd.models.sync_norm import plain_where_alone


def _model():
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 1), torch.nn.SyncBatchNorm(4)
    )
    model[1].running_mean += torch.arange(4)
    return model


@pytest.fixture
def group(tmp_path):
    """A real process group of one process."""
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1
    )
    yield
    torch.distributed.destroy_process_group()


@pytest.fixture
def log(caplog):
    """What MMEngine's current logger says."""
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    with caplog.at_level(logging.INFO, logger.name):
        yield caplog
    logger.removeHandler(caplog.handler)


def test_alone_it_becomes_bn_with_the_same_numbers(log):
    images = torch.randn(2, 3, 5, 5)
    model = _model().train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    expected = model(images)
    again = plain_where_alone(_model()).train()
    assert not isinstance(again[1], torch.nn.SyncBatchNorm)
    assert {k: v.shape for k, v in again.state_dict().items()} == {
        k: v.shape for k, v in before.items()
    }
    assert torch.equal(again(images), expected)
    for a, b in zip(again.buffers(), model.buffers(), strict=True):
        assert torch.equal(a, b)
    assert '1 SyncBN layers of the student run as BN' in log.text


def test_distributed_on_gpus_it_stays(group, monkeypatch):
    monkeypatch.setattr(sync_norm, '_has_gpu', lambda: True)
    model = plain_where_alone(_model())
    assert isinstance(model[1], torch.nn.SyncBatchNorm)


def test_distributed_on_cpus_it_becomes_bn_with_a_warning(
    group, monkeypatch, log
):
    monkeypatch.setattr(sync_norm, '_has_gpu', lambda: False)
    model = plain_where_alone(_model())
    assert not isinstance(model[1], torch.nn.SyncBatchNorm)
    (record,) = [r for r in log.records if 'SyncBN' in r.message]
    assert record.levelno == logging.WARNING


def test_a_model_without_it_is_left_alone(log):
    model = torch.nn.Sequential(torch.nn.BatchNorm2d(4))
    assert plain_where_alone(model) is model
    assert 'SyncBN' not in log.text
