"""Configs of small real models, that tests train and take apart."""

import copy

import torch


def classifier(width: int = 4, depth: int = 18, classes: int = 10) -> dict:
    """Config of a small ResNet classifier; its last stage has 8 x width."""
    return dict(
        type='mmpretrain.ImageClassifier',
        backbone=dict(
            type='ResNet_CIFAR',
            depth=depth,
            stem_channels=width,
            base_channels=width,
            drop_path_rate=0.2,
        ),
        neck=dict(type='GlobalAveragePooling'),
        # dropout, so that stray random numbers would show
        head=dict(
            type='StackedLinearClsHead',
            num_classes=classes,
            in_channels=8 * width,
            mid_channels=[16],
            dropout_rate=0.3,
            topk=(1,),
        ),
        data_preprocessor=dict(
            type='ClsDataPreprocessor',
            mean=[127.5] * 3,
            std=[127.5] * 3,
            num_classes=classes,
        ),
    )


def vit(**backbone) -> dict:
    """Config of a small ViT: of 32x32 pixels 16 tokens and a class token."""
    sizes = dict(
        embed_dims=24, num_layers=3, num_heads=2, feedforward_channels=48
    )
    return dict(
        type='mmpretrain.ImageClassifier',
        backbone=dict(
            dict(
                type='VisionTransformer',
                arch=sizes,
                img_size=32,
                patch_size=8,
            ),
            **backbone,
        ),
        head=None,
        data_preprocessor=dict(
            type='ClsDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3
        ),
    )


def distiller(**changes) -> dict:
    """Config of an MGDDistill around two small classifiers."""
    cfg = dict(
        type='mmmgd.MGDDistill',
        student=classifier(),
        teacher=dict(config=classifier(width=6), checkpoint=False),
        distill=dict(
            loss_mgd=dict(
                points='backbone.layer4',
                connector=dict(
                    type='mmmgd.MGDConnector',
                    mask_ratio=0.15,
                    mask_dim='channel',
                ),
                loss=dict(type='mmmgd.MGDLoss', loss_weight=1e-3),
            )
        ),
    )
    cfg.update(changes)
    return cfg


def two_teachers() -> tuple[dict, dict]:
    """Configs of an MGDDistill with two teachers, and with each of them."""
    one = distiller()['distill']['loss_mgd']
    cfgs = {
        'a': dict(config=classifier(width=6), checkpoint=False),
        'b': dict(config=vit(), checkpoint=False),
    }
    tokens = dict(student='backbone.layer4', teacher='backbone.layers.2')
    entries = {'loss_a': one, 'loss_b': dict(one, points=tokens)}
    named = {n: dict(e, teacher=n[-1]) for n, e in entries.items()}
    both = copy.deepcopy(distiller(teacher=cfgs, distill=named))
    single = {
        name: copy.deepcopy(
            distiller(
                teacher=cfg, distill={f'loss_{name}': entries[f'loss_{name}']}
            )
        )
        for name, cfg in cfgs.items()
    }
    return both, single


@torch.no_grad()
def losses_of(model, images, samples) -> dict:
    """Return the losses of a training step that does not go back."""
    return model(images, samples, mode='loss')
