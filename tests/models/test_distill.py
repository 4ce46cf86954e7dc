import copy
import gc

import pytest
import torch
from mmengine.registry import MODELS

from mmmgd.models import MGDConnector, Teacher


def _step(model, batch):
    loss, log = model.parse_losses(model(*batch, mode='loss'))
    loss.backward()
    return log


def test_the_loss_is_the_students_plus_ours(distiller_cfg, build, batch):
    """Computed again from the parts, by hand."""
    model = build(distiller_cfg()).eval()
    images, samples = batch
    with torch.no_grad():
        losses = model(images, samples, mode='loss')
    assert set(losses) == {'loss', 'loss_mgd'}
    connector = model.terms['loss_mgd'].connectors[0]
    connector.mask_stream.draws = 0
    with torch.no_grad():
        s = model.student.backbone(images)[0]
        t = model.teacher.module.backbone(images)[0]
        expected = 1e-3 * (connector(s) - t).square().sum() / len(images)
        plain = model.student(images, samples, mode='loss')['loss']
    torch.testing.assert_close(losses['loss_mgd'], expected)
    assert torch.equal(losses['loss'], plain)
    total, log = model.parse_losses(losses)
    torch.testing.assert_close(total, plain + expected)
    assert {'loss', 'loss_mgd'} <= set(log)


def test_gradients_reach_student_and_connector_only(
    distiller_cfg, build, batch
):
    model = build(distiller_cfg())
    model.train()
    model(*batch, mode='loss')['loss_mgd'].backward()
    assert model.student.backbone.conv1.weight.grad.abs().sum() > 0
    connector = model.terms['loss_mgd'].connectors[0]
    assert connector.align.weight.grad.abs().sum() > 0
    assert connector.generation[0].weight.grad.abs().sum() > 0
    assert all(p.grad is None for p in model.teacher.module.parameters())


def test_the_teacher_is_no_part_of_the_model(distiller_cfg, build):
    model = build(distiller_cfg())
    model.train()
    mine = set(map(id, model.parameters())) | set(map(id, model.buffers()))
    teacher = model.teacher.module
    assert not mine & set(map(id, teacher.parameters()))
    assert not mine & set(map(id, teacher.buffers()))
    assert not any('teacher' in k for k in model.state_dict())
    assert not any(m.training for m in teacher.modules())
    assert copy.deepcopy(model).teacher is model.teacher


def test_the_teacher_follows_to(distiller_cfg, build):
    model = build(distiller_cfg()).double()
    assert {p.dtype for p in model.teacher.module.parameters()} == {
        torch.float64
    }


def test_the_teacher_follows_a_model_that_moved_before(distiller_cfg):
    """The Runner moves the model first and loads the teacher later."""
    model = MODELS.build(distiller_cfg()).double()
    model.init_weights()
    assert {p.dtype for p in model.teacher.module.parameters()} == {
        torch.float64
    }


def test_everything_but_training_is_the_students(distiller_cfg, build, batch):
    model = build(distiller_cfg()).eval()
    images, samples = batch
    with torch.no_grad():
        ours = model(images, copy.deepcopy(samples), mode='predict')
        plain = model.student(images, copy.deepcopy(samples), mode='predict')
        assert torch.equal(model(images), model.student(images))
    for a, b in zip(ours, plain, strict=True):
        assert torch.equal(a.pred_score, b.pred_score)


def test_each_point_is_logged_on_its_own(distiller_cfg, build, batch):
    points = ['backbone.layer3', 'backbone.layer4']
    cfg = distiller_cfg()
    cfg['distill']['loss_mgd']['points'] = points
    model = build(cfg)
    losses = model(*batch, mode='loss')
    assert set(losses) == {'loss', 'loss_mgd.0', 'loss_mgd.1'}
    widths = [
        c.generation[0].in_channels for c in model.terms['loss_mgd'].connectors
    ]
    assert widths == [24, 48]  # inferred: the teacher's


def test_a_logit_loss_gets_the_labels(distiller_cfg, build, batch):
    cfg = distiller_cfg()
    cfg['distill'] = dict(
        loss_wsld=dict(
            points='head.layers.1.fc',
            loss=dict(type='mmmgd.WSLD', tau=2, loss_weight=2.5),
        )
    )
    model = build(cfg).eval()
    images, samples = batch
    with torch.no_grad():
        ours = model(images, samples, mode='loss')['loss_wsld']
        logits = [
            m.head(m.extract_feat(images))
            for m in (model.student, model.teacher.module)
        ]
    labels = torch.tensor([0, 1, 2, 3])
    module = MODELS.build(cfg['distill']['loss_wsld']['loss'])
    torch.testing.assert_close(ours, module(*logits, gt_labels=labels))


def test_the_label_of_a_mixed_image_is_the_class_of_its_larger_part(
    distiller_cfg, build, batch
):
    """Mixup leaves the class before mixing in `gt_label`."""
    cfg = distiller_cfg()
    cfg['distill'] = dict(
        loss_nkd=dict(
            points='head.layers.1.fc',
            loss=dict(type='mmmgd.NKDLoss', gamma=1, tau=1, loss_weight=1),
        )
    )
    cfg['student']['data_preprocessor']['batch_augments'] = dict(
        augments=[dict(type='Mixup', alpha=1.0)]
    )
    model = build(cfg)
    images, samples = batch
    seen = []
    model.terms['loss_nkd'].loss.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs['gt_labels']),
        with_kwargs=True,
    )
    expected = []
    for _ in range(8):
        data = model.data_preprocessor(
            dict(inputs=list(images), data_samples=samples), training=True
        )
        model(**data, mode='loss')
        scores = torch.stack([s.gt_score for s in data['data_samples']])
        expected.append(scores.argmax(1))
        for sample in samples:
            del sample.gt_score
    assert torch.equal(torch.stack(seen), torch.stack(expected))
    unmixed = torch.arange(4).expand(8, 4)
    assert not torch.equal(torch.stack(seen), unmixed)


def test_soft_labels_are_refused_where_a_class_is_needed(
    distiller_cfg, build, batch
):
    cfg = distiller_cfg()
    cfg['distill']['loss_wsld'] = dict(
        points='head.layers.1.fc',
        loss=dict(type='mmmgd.WSLD', tau=2, loss_weight=1),
    )
    model = build(cfg)
    images, samples = batch
    for sample in samples:
        sample.set_gt_score(torch.full((10,), 0.1))
        del sample.gt_label
    with pytest.raises(ValueError, match='one class per image'):
        model(images, samples, mode='loss')


def test_mmrazors_losses_and_connectors_fit(distiller_cfg, build, batch):
    cfg = distiller_cfg()
    cfg['distill']['loss_mgd']['connector'] = dict(
        type='mmrazor.MGDConnector',
        student_channels=32,
        teacher_channels=48,
        lambda_mgd=0.15,
    )
    cfg['distill']['loss_mgd']['loss'] = dict(
        type='mmrazor.MGDLoss', alpha_mgd=1e-3
    )
    cfg['distill']['loss_kd'] = dict(
        points='head.layers.1.fc',
        loss=dict(type='mmrazor.KLDivergence', tau=4),
    )
    losses = build(cfg)(*batch, mode='loss')
    assert losses['loss_mgd'] > 0 and losses['loss_kd'] > 0


def test_a_teacher_with_other_classes_teaches(distiller_cfg, build, batch):
    cfg = distiller_cfg()
    cfg['teacher']['config']['head']['num_classes'] = 3
    model = build(cfg)
    assert _step(model, batch)['loss_mgd'] > 0


def test_building_draws_the_same_numbers_as_the_plain_student(
    distiller_cfg, classifier_cfg
):
    torch.manual_seed(9)
    plain = MODELS.build(classifier_cfg())
    expected = torch.get_rng_state()
    torch.manual_seed(9)
    ours = MODELS.build(distiller_cfg())
    assert torch.equal(torch.get_rng_state(), expected)
    for key, value in plain.state_dict().items():
        assert torch.equal(ours.student.state_dict()[key], value)


def test_connectors_depend_on_the_seed(distiller_cfg):
    def weight(seed):
        torch.manual_seed(seed)
        model = MODELS.build(distiller_cfg())
        return model.terms['loss_mgd'].connectors[0].generation[0].weight

    assert torch.equal(weight(1), weight(1))
    assert not torch.equal(weight(1), weight(2))


def test_files_with_the_students_names_load_strictly(
    distiller_cfg, classifier_cfg, build
):
    model, plain = build(distiller_cfg()), build(classifier_cfg(), seed=5)
    generator = copy.deepcopy(model.terms.state_dict())
    model.load_state_dict(plain.state_dict(), strict=True)
    for key, value in plain.state_dict().items():
        assert torch.equal(model.student.state_dict()[key], value)
    for key, value in generator.items():
        assert torch.equal(model.terms.state_dict()[key], value)
    broken = dict(plain.state_dict())
    del broken['backbone.conv1.weight']
    with pytest.raises(RuntimeError, match='student.backbone.conv1.weight'):
        model.load_state_dict(broken, strict=True)


def test_memory_does_not_grow(distiller_cfg, build, batch):
    model = build(distiller_cfg())
    model.train()

    def tensors_after(steps):
        for _ in range(steps):
            _step(model, batch)
        gc.collect()
        return sum(isinstance(o, torch.Tensor) for o in gc.get_objects())

    assert tensors_after(20) == tensors_after(180)


def test_no_weights_are_read_before_training(distiller_cfg, batch):
    cfg = distiller_cfg()
    cfg['teacher']['checkpoint'] = 'nowhere/at/all.pth'
    model = MODELS.build(cfg).eval()
    with torch.no_grad():
        model(batch[0], batch[1], mode='predict')
    with pytest.raises(FileNotFoundError, match='nowhere/at/all.pth'):
        model.init_weights()


def test_public_names(distiller_cfg):
    import mmmgd

    assert mmmgd.MGDConnector is MGDConnector
    assert mmmgd.Teacher is Teacher
    assert all(hasattr(mmmgd, name) for name in mmmgd.__all__)
    with pytest.raises(AttributeError, match='MGDConector'):
        _ = mmmgd.MGDConector
