"""What only the student has is the student's, to read and to write."""

import copy
import pickle

import pytest
import torch
import torch.distributed as dist
from mmengine.model import ExponentialMovingAverage, MMDistributedDataParallel
from mmengine.registry import MODELS

from mmmgd.models import MGDDistill


@MODELS.register_module(force=True)
class WithOwnParts(MGDDistill):
    """A subclass that adds to the outer model."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.extra = torch.nn.Linear(2, 2)
        self.count = 3


@pytest.fixture
def model(build, distiller_cfg):
    return build(distiller_cfg())


def test_reads_and_writes_reach_the_student(model):
    assert model.head is model.student.head
    assert model.with_neck is True  # a property of its class
    model.student.loss_lambda = 0.5
    model.loss_lambda = 0.25
    assert model.student.loss_lambda == 0.25
    model.head = torch.nn.Identity()
    assert model.student.head is model.head
    assert 'head' not in dict(model.named_children())
    model.of_nobody = 7  # which the student may ask for
    assert model.student.of_nobody == model.of_nobody == 7


def test_what_both_have_is_not_shadowed(model):
    preprocessor = model.student.data_preprocessor
    model.data_preprocessor = torch.nn.Identity()
    assert model.student.data_preprocessor is preprocessor
    model.hooked = True
    assert 'hooked' not in vars(model.student)
    model.training = False
    assert model.student.training
    assert type(model).forward is MGDDistill.forward


def test_what_nobody_has_is_an_attribute_error_of_the_outer_model(model):
    assert not hasattr(model, 'bbox_head')
    assert hasattr(model, 'backbone')
    with pytest.raises(AttributeError, match="'MGDDistill' .*'bbox_head'"):
        model.bbox_head  # noqa: B018
    assert getattr(model, 'bbox_head', None) is None


def test_a_subclass_keeps_its_own_parts(distiller_cfg):
    model = MODELS.build({**distiller_cfg(), 'type': 'WithOwnParts'})
    assert 'extra.weight' in model.state_dict()
    assert not hasattr(model.student, 'extra')
    assert 'count' not in vars(model.student)


def test_copies_have_a_student_of_their_own(model):
    state = model.state_dict()
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.state_dict().keys() == state.keys()
        other.note = 'copied'
        assert other.student.note == 'copied'
        assert not hasattr(model, 'note')
        assert other.head is not model.head


def test_ema_averages_the_student(model, batch):
    ema = ExponentialMovingAverage(model, momentum=0.5)
    before = model.backbone.conv1.weight.clone()
    with torch.no_grad():
        model.backbone.conv1.weight.add_(1)
    ema.update_parameters(model)  # the first one copies
    with torch.no_grad():
        model.backbone.conv1.weight.add_(1)
    ema.update_parameters(model)
    averaged = ema.module.backbone.conv1.weight
    torch.testing.assert_close(averaged, before + 1.5)
    assert len(list(ema.module.parameters())) == len(list(model.parameters()))


def test_inside_ddp(model, batch, tmp_path):
    dist.init_process_group(
        'gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1
    )
    try:
        ddp = MMDistributedDataParallel(model)
        ddp.module.loss_lambda = 2.0
        sum(v.sum() for k, v in ddp(*batch, mode='loss').items()
            if 'loss' in k).backward()  # fmt: skip
    finally:
        dist.destroy_process_group()
    assert model.student.loss_lambda == 2.0
    assert model.backbone.conv1.weight.grad.abs().sum() > 0
