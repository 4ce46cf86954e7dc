"""Values of the wrong kind, in MMEngine's classes and in the user's."""

import pytest
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from mmmgd.config.kinds import check_kinds


@pytest.mark.parametrize(
    ('config', 'path'),
    [
        (dict(optim_wrapper=dict(accumulative_counts='2')), 'accumulative'),
        (dict(train_dataloader=dict(drop_last='False')), 'drop_last'),
        (
            dict(default_hooks=dict(timer=dict(type='IterTimerHook'), x=3)),
            'default_hooks.x',
        ),
        (dict(randomness=dict(seed='3')), 'randomness.seed'),
        (dict(val_evaluator={}), 'val_evaluator'),
        (dict(custom_hooks=[dict(type=3)]), 'custom_hooks.0.type'),
        (
            dict(
                default_scope='mmdet',
                custom_hooks=[
                    dict(
                        type='PipelineSwitchHook',
                        switch_epoch=2,
                        switch_pipeline=[
                            dict(
                                type='RandomCrop',
                                crop_size=(8, 8),
                                allow_negative_crop='True',
                            )
                        ],
                    )
                ],
            ),
            'custom_hooks.0.switch_pipeline.0.allow_negative_crop',
        ),
        (dict(env_cfg=dict(mp_cfg=None)), 'env_cfg.mp_cfg'),
        (
            dict(
                default_hooks=dict(
                    checkpoint=dict(type='CheckpointHook', intervall=2)
                )
            ),
            'default_hooks.checkpoint.intervall',
        ),
    ],
)
def test_a_value_of_another_kind_is_refused_with_its_path(config, path):
    with pytest.raises(ValueError, match=path):
        check_kinds(Config(config))


def test_a_class_of_the_user_may_take_more_than_it_writes():
    @HOOKS.register_module(name='LooseHook', force=True)
    class LooseHook(Hook):
        def __init__(self, every: int = 1, where='auto', **others) -> None: ...

    hook = dict(type='LooseHook', every='2 epochs', where=3, everys=2)
    try:
        check_kinds(Config(dict(custom_hooks=[hook])))
    finally:
        HOOKS.module_dict.pop('LooseHook')
