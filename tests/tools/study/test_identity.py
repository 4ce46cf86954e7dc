"""What tells results of one code, data or config from those of another."""

import shutil
import subprocess
from pathlib import Path

import pytest
from mmengine.config import Config
from study import identity
from study.grid import Cell

ROOT = Path(__file__).parents[3]


def test_a_digest_is_of_names_and_bytes_not_of_the_place(tmp_path):
    first, second = tmp_path / 'a', tmp_path / 'b'
    (first / 'deep').mkdir(parents=True)
    (first / 'deep' / 'x.py').write_text('1')
    shutil.copytree(first, second)
    digest = identity.digest([first])
    assert identity.digest([second]) == digest
    assert identity.digest([first, second]) != digest
    (second / 'note.txt').write_text('')
    assert identity.digest([second]) != digest
    assert identity.digest([second], '*.py') == digest
    (second / 'deep' / 'x.py').rename(second / 'deep' / 'y.py')
    assert identity.digest([second], '*.py') != digest


def test_missing_data_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='make data'):
        identity.digest([tmp_path / 'none'])


def _settings(**overrides):
    config = str(ROOT / 'configs/studies/paper_setting/mgd-channel.py')
    return identity.settings(Cell('t', 'm', 0, config, overrides))[1]


def test_settings_are_those_of_the_whole_config_without_the_seed():
    weight = 'model.distill.loss_mgd.loss.loss_weight'
    assert _settings() == _settings(**{weight: 1e-3})
    assert _settings() != _settings(**{weight: 2e-3})
    assert _settings() == _settings(**{'randomness.seed': 5})
    assert _settings() != _settings(**{'train_dataloader.batch_size': 5})


def test_settings_do_not_depend_on_the_place(tmp_path, monkeypatch):
    """The teacher's config, found beside the student's, has a whole path."""
    folder = Path('configs/studies/paper_setting')
    found = {_settings()}
    for name in ('a', 'b'):
        place = tmp_path / name
        shutil.copytree(ROOT / 'configs', place / 'configs')
        monkeypatch.chdir(place)
        config = str(folder / 'mgd-channel.py')
        cfg, digest = identity.settings(Cell('t', 'm', 0, config, {}))
        assert cfg.model.teacher.config == str(place / folder / 'teacher.py')
        found.add(digest)
    for place in (ROOT.parent, ROOT / 'tools'):
        monkeypatch.chdir(place)
        found.add(_settings())
    assert len(found) == 1


def test_weights_are_those_of_the_teacher_and_of_the_start(tmp_path):
    first, second = tmp_path / 'a.pth', tmp_path / 'b.pth'
    first.write_text('a')
    second.write_text('b')
    start = {'init_cfg': {'checkpoint': str(first)}}
    model = {'student': {'parts': [start]}}
    alone = identity.weights(Config({'model': model}))
    assert alone == identity.digest([first])
    model['teacher'] = {'checkpoint': str(second)}
    assert identity.weights(Config({'model': model})) == identity.digest(
        [first, second]
    )
    model['teacher'] = {'checkpoint': 'https://a.b/c.pth'}
    assert identity.weights(Config({'model': model})) == alone
    assert identity.weights(Config({'model': {}})) is None
    second.unlink()
    model['teacher'] = {'checkpoint': str(second)}
    with pytest.raises(FileNotFoundError, match=r'no .*b\.pth, which'):
        identity.weights(Config({'model': model}))


def test_the_commit_is_one_with_this_code(tmp_path, monkeypatch):
    """Also after commits of other files, and beside files that differ."""

    def git(*words):
        name = ['-c', 'user.name=a', '-c', 'user.email=a@b']
        return subprocess.run(
            ['git', *name, *words],
            cwd=tmp_path,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    git('init', '-q')
    (tmp_path / 'mmmgd').mkdir()
    for text in ('one', 'two'):
        (tmp_path / 'mmmgd' / 'x.py').write_text(text)
        git('add', '-A')
        git('commit', '-q', '-m', text)
    two = git('rev-parse', '--short', 'HEAD')
    (tmp_path / 'README.md').write_text('more')
    git('add', '-A')
    git('commit', '-q', '-m', 'docs')
    (tmp_path / 'README.md').write_text('and more')
    monkeypatch.setattr(identity, 'ROOT', tmp_path)
    monkeypatch.setattr(identity, 'CODE', ('mmmgd',))
    assert identity.commit.__wrapped__() == two
    git('checkout', '-q', f'{two}~1', '--', 'mmmgd')
    one = git('rev-parse', '--short', f'{two}~1')
    assert identity.commit.__wrapped__() == one
    (tmp_path / 'mmmgd' / 'x.py').write_text('three')
    assert identity.commit.__wrapped__() == 'not committed'
