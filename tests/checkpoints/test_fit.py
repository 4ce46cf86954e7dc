"""What differs between weights and a model, by name."""

import torch
from torch import nn

from mmmgd.checkpoints.fit import Misfit, compare, load_fitting, shapes_of


def _model(width=4, classes=3):
    return nn.Sequential(
        nn.Conv2d(3, width, 1), nn.BatchNorm2d(width), nn.Conv2d(width, 5, 1),
        nn.Flatten(), nn.Linear(5, classes),
    )  # fmt: skip


def test_the_same_model_fits_and_is_loaded():
    one, two = _model(), _model()
    state = one.state_dict()
    del state['1.num_batches_tracked']  # as files of old versions
    misfit = load_fitting(two, state)
    assert not misfit and misfit.is_of_classes and str(misfit) == ''
    assert torch.equal(two[4].weight, one[4].weight)


def test_names_of_either_side():
    one, two = _model(), _model()
    state = one.state_dict()
    state['new'] = state.pop('0.bias')
    misfit = load_fitting(two, state)
    assert misfit == Misfit(['0.bias'], ['new'], {})
    assert misfit == compare(state, shapes_of(two))
    assert misfit and not misfit.is_of_classes
    assert str(misfit) == (
        '1 tensors missing: 0.bias; 1 tensors not in the model: new'
    )


def test_other_classes_are_left_out_and_the_rest_is_loaded():
    one, two = _model(classes=7), _model()
    before = two[4].weight.clone()
    misfit = load_fitting(two, one.state_dict())
    assert misfit.shapes == {
        '4.weight': ((7, 5), (3, 5)), '4.bias': ((7,), (3,))
    }  # fmt: skip
    assert misfit.is_of_classes
    assert torch.equal(two[4].weight, before)
    assert torch.equal(two[2].weight, one[2].weight)
    assert '4.weight (7, 5) instead of (3, 5)' in str(misfit)


def test_another_width_is_not_one_of_classes():
    misfit = load_fitting(_model(), _model(width=6).state_dict())
    assert '2.weight' in misfit.shapes
    assert not misfit.is_of_classes


class Converts(nn.Linear):
    """A layer that reads files of its first version."""

    _version = 2

    def _load_from_state_dict(self, state, prefix, metadata, *args):
        if metadata.get('version', 1) < 2:
            state[f'{prefix}weight'] = state[f'{prefix}weight'].T
        super()._load_from_state_dict(state, prefix, metadata, *args)


def test_what_a_layer_converts_fits():
    model = nn.Sequential(Converts(2, 3), nn.Linear(3, 4))
    state = model.state_dict()
    weight = torch.randn(2, 3)
    state['0.weight'] = weight
    state._metadata['0']['version'] = 1
    state['1.bias'] = torch.zeros(9)  # so that the rest is loaded again
    assert load_fitting(model, state).shapes == {'1.bias': ((9,), (4,))}
    assert torch.equal(model[0].weight, weight.T)
