"""``--cfg-options``: what nobody would read is refused."""

import argparse

import pytest

from mmmgd.config import Options, check_config, read_config

TEXT = """
data_root = 'data/coco'
optimizer = dict(type='SGD', lr=0.1)
optim_wrapper = dict(optimizer=optimizer, clip_grad=dict(max_norm=35))
train_dataloader = dict(dataset=dict(
    type='CocoDataset', data_root=data_root,
    pipeline=[dict(type='LoadImageFromFile'), dict(type='PackInputs')]))
model = dict(type='RetinaNet', test_cfg=dict(nms_pre=1000, score_thr=0.05))
train_cfg = dict(by_epoch=True, max_epochs=12)
env_cfg = dict(cudnn_benchmark=False, dist_cfg=dict(backend='nccl'))
"""


@pytest.fixture
def config(tmp_path) -> str:
    path = tmp_path / 'c.py'
    path.write_text(TEXT)
    return str(path)


REFUSED = {
    # the first key
    'optim_wraper.optimizer.lr': "'optim_wraper'.*'optim_wrapper'",
    'trian_cfg.max_epochs': "'trian_cfg'.*'train_cfg'",
    'modle.type': "'modle'.*'model'",
    'randomnes.seed': "'randomnes'.*'randomness'",
    'quux': "'quux'",
    # a variable of the file, which has been used already
    'data_root': 'variable.*train_dataloader.dataset.data_root',
    'optimizer.lr': 'variable.*optim_wrapper.optimizer',
    # deeper, where what reads the dict would ignore it
    'model.test_cfg.score_th': "'score_th'.*'score_thr'",
    'train_cfg.max_epoch': "'max_epoch'.*'max_epochs'",
    'optim_wrapper.clip_grad.max_nrom': "'max_nrom'.*'max_norm'",
    'env_cfg.cudnn_benchmrk': "'cudnn_benchmrk'.*'cudnn_benchmark'",
    # what MMEngine cannot merge
    'train_cfg.max_epochs.x': 'train_cfg.max_epochs.x',
    'train_dataloader.dataset.pipeline.7.type': 'pipeline.7.type',
}


@pytest.mark.parametrize('key', REFUSED)
def test_it_is_refused(config, key):
    with pytest.raises(ValueError, match=f'(?s)--cfg-options.*{REFUSED[key]}'):
        read_config(config, {key: 1})


ACCEPTED = {
    'train_cfg.max_epochs': 3,
    'train_cfg.val_interval': 3,
    'optim_wrapper.accumulative_counts': 2,
    'optim_wrapper.optimizer.weight_decay': 1e-4,
    'randomness.seed': 3,  # of the Runner, though no base has it
    'auto_scale_lr.enable': True,
    'find_unused_parameters': True,
    'model.test_cfg.max_per_img': 10,
    'env_cfg.mp_cfg.opencv_num_threads': 1,
    'train_dataloader.dataset.pipeline.1.meta_keys': ['x'],
    'load_from': 'x.pth',
    'default_hooks.checkpoint.interval': 3,
}


@pytest.mark.parametrize('key', ACCEPTED)
def test_it_is_merged(config, key):
    cfg = read_config(config, {key: ACCEPTED[key]})
    for part in key.split('.'):
        cfg = cfg[int(part) if part.isdigit() else part]
    assert cfg == ACCEPTED[key]


def test_a_key_of_mmcv_1_has_its_own_message(config):
    cfg = read_config(config, {'optimizer_config.grad_clip': 35})
    with pytest.raises(ValueError, match="'optimizer_config'.*MMCV 1.x"):
        check_config(cfg)


@pytest.mark.parametrize('text', ['foo', 'train_cfg.max_epochs', 'a=[(1,2]'])
def test_what_is_no_option_ends_with_one_line(text, capsys):
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=Options)
    with pytest.raises(SystemExit) as end:
        parser.parse_args(['--cfg-options', text])
    assert end.value.code == 2
    assert text in capsys.readouterr().err


def test_options_are_read_as_mmengine_reads_them():
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=Options)
    given = ['a.b=1', 'c=[1,(2,3)]', 'd=x=y']
    assert parser.parse_args(['--cfg-options', *given]).cfg_options == {
        'a.b': 1,
        'c': [1, (2, 3)],
        'd': 'x=y',
    }


@pytest.mark.parametrize(
    ('key', 'close'),
    [
        ('env_cfg.cudnn_benchmrk', 'cudnn_benchmark'),
        ('env_cfg.mp_cfg.mp_start_methd', 'mp_start_method'),
        ('auto_scale_lr.enabled', 'enable'),
        ('optim_wrapper.paramwise_cfg.norm_decay', 'norm_decay_mult'),
    ],
)
def test_a_file_too_may_hold_no_key_that_mmengine_ignores(
    tmp_path, key, close
):
    first, *rest, last = key.split('.')
    value = f'dict({last}=1)'
    for part in reversed(rest):
        value = f'dict({part}={value})'
    path = tmp_path / 'c.py'
    path.write_text(f'{first} = {value}')
    with pytest.raises(ValueError, match=f"'{last}'.*'{close}'"):
        check_config(read_config(str(path)))
