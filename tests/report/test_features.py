"""Pictures of features: their numbers, their colours, and no trace left."""

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook

from mmmgd.models.compared import compared_features
from mmmgd.points.pairs import Pair
from mmmgd.report.features import (
    Look,
    activation,
    heat,
    look,
    panels,
    pixels_of,
    sheet,
)


def test_activation_is_the_mean_absolute_value():
    feature = torch.tensor([[[[1.0, -2.0]], [[3.0, 0.0]]]])  # (1, 2, 1, 2)
    assert activation(feature).tolist() == [[[2.0, 1.0]]]


def test_what_is_seen_is_what_is_compared(build, distiller_cfg, batch):
    """Masked, generated and error follow from one and the same mask."""
    model = build(distiller_cfg())
    one = look(model, batch[0])['loss_mgd']
    connector = model.terms['loss_mgd'].connectors[0]
    student, teachers = compared_features(model, batch[0])
    teacher = teachers['']
    point = 'backbone.layer4'
    mask = connector.draw_mask(student[point])  # the same: none was drawn
    with torch.no_grad():
        seen = connector.align(student[point]) * mask
        made = connector.generation(seen)
    assert (mask == 0).any()
    for found, expected in (
        (one.student, student[point]),
        (one.teacher, teacher[point]),
        (one.masked, seen),
        (one.generated, made),
        (one.error, made - teacher[point]),
    ):
        assert np.allclose(found, activation(expected), atol=1e-5)


def test_looking_changes_nothing(build, distiller_cfg, batch):
    model = build(distiller_cfg()).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    rng = torch.get_rng_state()
    look(model, batch[0])
    connector = model.terms['loss_mgd'].connectors[0]
    assert connector.mask_stream.draws == 0
    assert model.student.training and connector.training
    assert torch.equal(torch.get_rng_state(), rng)
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])


def test_imitation_has_no_mask_and_logits_are_no_map(
    build, distiller_cfg, batch
):
    cfg = distiller_cfg()
    cfg['distill']['loss_mgd']['connector'] = dict(type='mmmgd.AlignConnector')
    cfg['distill']['loss_kd'] = dict(
        points='head.layers.1.fc',
        loss=dict(type='mmmgd.KLDivergence', tau=4, loss_weight=1.0),
    )
    found = look(build(cfg), batch[0])
    assert set(found) == {'loss_mgd'}
    assert found['loss_mgd'].masked is None
    assert found['loss_mgd'].generated.shape == (4, 4, 4)


def test_colours_are_those_of_the_scale():
    values = np.array([[0.0, 1.0], [2.0, 4.0]])
    picture = heat(values, 4)
    dark, yellow = [68, 1, 84], [253, 231, 37]  # the ends of viridis
    assert picture[0, 0].tolist() == picture[1, 1].tolist() == dark
    assert picture[3, 3].tolist() == yellow
    assert heat(values, 4, high=2.0)[2, 0].tolist() == yellow
    assert heat(np.zeros((2, 2)), 4)[0, 0].tolist() == dark


def test_an_error_is_as_bright_as_a_feature_of_its_size():
    maps = np.array([[[1.0, 4.0]]])
    one = Look(Pair('a', 'b'), maps, maps, None, maps / 2, maps / 2)
    painted = panels(one, 0, 8)
    assert list(painted) == [
        'teacher', 'student', 'generated', 'its target', 'error',
    ]  # fmt: skip
    yellow = [253, 231, 37]
    assert painted['its target'][0, -1].tolist() == yellow
    assert painted['error'][0, -1].tolist() != yellow
    assert np.array_equal(painted['error'], painted['generated'])


def test_a_sheet_has_a_row_each_below_its_titles():
    red = np.full((8, 8, 3), [255, 0, 0], np.uint8)
    table = sheet([{'a': red, 'b': red // 2}, {'a': red // 3, 'b': red}])
    assert table.shape == (18 + 22, 22, 3)
    assert table[18:26, 14:, 0].min() == table[18:26, 14:, 0].max() == 127
    assert table[32:, :8, 0].max() == 85
    assert (table[26:32] == 255).all() and (table[:, 8:14] == 255).all()


@pytest.mark.parametrize('channels', [1, 3])
def test_the_image_is_shown_in_its_colours(channels):
    """Codebases hand on BGR; grey images have one channel."""
    inputs = torch.zeros(channels, 4, 4, dtype=torch.uint8)
    inputs[0] = 200
    picture = pixels_of({'inputs': inputs}, 4)
    blue = [0, 0, 200] if channels == 3 else [200, 200, 200]
    assert picture[0, 0].tolist() == blue


class Seen(Hook):
    """Keeps what the visualizer is given."""

    def __init__(self):
        self.images = []

    def before_run(self, runner):
        runner.visualizer.add_image = lambda *args: self.images.append(args)


def _trained(runner_cfg, distiller_cfg, run, hooks):
    from mmengine.registry import HOOKS

    if 'Seen' not in HOOKS:
        HOOKS.register_module(module=Seen)
    cfg = runner_cfg(distiller_cfg(), epochs=2)
    cfg.custom_hooks = hooks
    return run(cfg)


def test_the_hook_shows_them_and_leaves_the_training_as_it_was(
    runner_cfg, distiller_cfg, run
):
    hook = dict(type='mmmgd.FeatureVisHook', images=3, interval=2, tile=32)
    watched = _trained(
        runner_cfg, distiller_cfg, run, [dict(type='Seen'), hook]
    )
    plain = _trained(runner_cfg, distiller_cfg, run, [])
    seen = next(h for h in watched.hooks if isinstance(h, Seen)).images
    assert [(name, step) for name, _, step in seen] == [
        ('features/loss_mgd', 24)
    ]
    # image, teacher, student, masked, generated, its target, error
    assert seen[0][1].shape == (18 + 3 * 38 - 6, 7 * 38 - 6, 3)
    for a, b in zip(
        watched.model.state_dict().values(),
        plain.model.state_dict().values(),
        strict=True,
    ):
        assert torch.equal(a, b)


@pytest.mark.parametrize('name', ['images', 'interval', 'tile'])
def test_bad_numbers_of_the_hook_are_refused(name):
    from mmmgd.hooks import FeatureVisHook

    with pytest.raises(ValueError, match=f'`{name}` of FeatureVisHook'):
        FeatureVisHook(**{name: 0})
