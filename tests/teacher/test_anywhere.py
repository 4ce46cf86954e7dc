"""Teachers that are no model of OpenMMLab: timm, Hugging Face, anybody's."""

import pytest
import torch
from mmengine.registry import MODELS
from safetensors.torch import save_file
from small_models import losses_of

NET = """
from torch import nn


class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, stride=8, padding=1)
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        return self.head(self.stem(x).mean((2, 3)))
"""
CONFIG = """
from net_of_somebody import Net

model = dict(type=Net, width=7)
"""


def _distiller(distiller_cfg, config, point, checkpoint=False, **changes):
    cfg = distiller_cfg(
        teacher=dict(config=config, checkpoint=checkpoint), **changes
    )
    cfg['distill']['loss_mgd']['points'] = dict(
        student='backbone.layer4', teacher=point
    )
    return cfg


def _images(side):
    from mmpretrain.structures import DataSample

    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, side, side, generator=generator)
    return images, [DataSample().set_gt_label(i) for i in range(2)]


def test_a_plain_module_in_a_python_config(
    distiller_cfg, build, monkeypatch, tmp_path
):
    """Its weights come as .safetensors; the head that is not used, too."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / 'net_of_somebody.py').write_text(NET)
    (tmp_path / 'teacher.py').write_text(CONFIG)
    from net_of_somebody import Net

    torch.manual_seed(7)
    net, file = Net(7), tmp_path / 'net.safetensors'
    save_file(net.state_dict(), file)
    config = str(tmp_path / 'teacher.py')
    model = build(_distiller(distiller_cfg, config, 'stem', str(file)))
    images, samples = _images(32)
    assert torch.equal(
        model.teacher.extract(images, None)['stem'], net.stem(images)
    )
    assert losses_of(model, images, samples)['loss_mgd'] > 0


def test_timm(distiller_cfg, build):
    """Swin of timm, whose maps have their channels last."""
    pytest.importorskip('timm')
    backbone = dict(
        type='TIMMBackbone',
        model_name='swin_tiny_patch4_window7_224',
        img_size=64,
        window_size=4,
        embed_dim=12,
        depths=(1, 1),
        num_heads=(2, 2),
    )
    config = dict(type='mmpretrain.ImageClassifier', backbone=backbone)
    point = 'backbone.timm_model.layers.1'
    model = build(_distiller(distiller_cfg, config, point, image_size=64))
    assert model.teacher.shapes == {point: (1, 24, 8, 8)}
    images, samples = _images(64)
    module = model.teacher.module.backbone.timm_model
    with torch.no_grad():
        expected = module.layers(module.patch_embed(images))
    ours = model.teacher.extract(images, None)[point]
    torch.testing.assert_close(ours, expected.permute(0, 3, 1, 2))
    losses = model(images, samples, mode='loss')
    losses['loss_mgd'].backward()
    assert model.student.backbone.conv1.weight.grad.abs().sum() > 0


def test_hugging_face(distiller_cfg, build, tmp_path):
    """A ViT of transformers, with a class token in front."""
    transformers = pytest.importorskip('transformers')
    transformers.ViTConfig(
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        image_size=32,
        patch_size=8,
    ).save_pretrained(tmp_path)
    config = dict(
        type='mmpretrain.HuggingFaceClassifier', model_name=str(tmp_path)
    )
    point = dict(point='model.vit.layernorm', tokens=dict(prefix=1))
    model = build(_distiller(distiller_cfg, config, point, image_size=32))
    images, samples = _images(32)
    with torch.no_grad():
        tokens = model.teacher.module.model.vit(images).last_hidden_state
    ours = model.teacher.extract(images, None)['model.vit.layernorm']
    expected = tokens[:, 1:].transpose(1, 2).unflatten(2, (4, 4))
    torch.testing.assert_close(ours, expected)
    assert losses_of(model, images, samples)['loss_mgd'] > 0


def test_a_config_without_a_model_is_refused(distiller_cfg, tmp_path):
    (tmp_path / 'empty.py').write_text('x = 1\n')
    cfg = _distiller(distiller_cfg, str(tmp_path / 'empty.py'), 'stem')
    with pytest.raises(ValueError, match=r"`model` in .*empty.py.*\['x'\]"):
        MODELS.build(cfg)
