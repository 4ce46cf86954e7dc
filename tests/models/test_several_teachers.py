"""Several teachers: each has its own losses, weights and input."""

import pytest
import torch
from mmengine.registry import MODELS
from small_models import losses_of, two_teachers


def test_two_teachers_give_the_sum_of_two_runs(build, batch):
    both, single = two_teachers()
    model = build(both).eval()
    losses = losses_of(model, *batch)
    total = sum(losses[f'loss_{name}'] for name in single)
    expected = 0
    for name, cfg in single.items():
        alone = build(cfg).eval()
        alone.load_state_dict(
            {k: v for k, v in model.state_dict().items() if f'_{name}.' in k
             or k.startswith('student.')}
        )  # fmt: skip
        mine = alone.terms[f'loss_{name}'].connectors[0].mask_stream
        seed = model.terms[f'loss_{name}'].connectors[0].mask_stream.seed
        mine.seed = seed
        expected += losses_of(alone, *batch)[f'loss_{name}']
    torch.testing.assert_close(total, expected, rtol=1e-6, atol=0)


def test_each_teacher_is_freed_on_its_own(build, batch):
    both, _ = two_teachers()
    both['distill']['loss_a']['until'] = 2
    model = build(both)
    model.set_position(2)
    assert [t.loaded for t in model.teachers.values()] == [False, True]
    losses = losses_of(model, *batch)
    assert losses['loss_a'] == 0 and losses['loss_b'] > 0


def test_of_two_teachers_the_one_without_a_file_is_named():
    both, _ = two_teachers()
    both['teacher']['b']['checkpoint'] = 'nowhere/b.pth'
    with pytest.raises(FileNotFoundError, match='nowhere/b.pth'):
        MODELS.build(both).init_weights()


def test_each_teacher_gets_its_own_input(build, batch):
    both, _ = two_teachers()
    raw = dict(type='ClsDataPreprocessor', mean=[0.0] * 3, std=[255.0] * 3)
    both['teacher']['b']['config']['data_preprocessor'] = raw
    model = build(both)
    seen = {}
    for name, teacher in model.teachers.items():
        teacher.module.register_forward_pre_hook(
            lambda m, args, n=name: seen.update({n: args[0]})
        )
    losses_of(model, *batch)
    assert torch.equal(seen['a'], batch[0])
    expected = (batch[0] * 127.5 + 127.5) / 255
    torch.testing.assert_close(seen['b'], expected)


def test_inheriting_from_one_of_two(classifier_cfg, build):
    both, _ = two_teachers()
    both['teacher']['a']['config'] = classifier_cfg()
    both['inherit'] = dict(a=['backbone.layer4'])
    model = build(both)
    theirs = model.teachers['a'].module.backbone.layer4.state_dict()
    for key, value in model.student.backbone.layer4.state_dict().items():
        assert torch.equal(value, theirs[key])
