"""Configs of small real models, that tests train and take apart."""


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
