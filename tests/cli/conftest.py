"""``python -m mmmgd new`` in an empty folder, and a small pair for it."""

import pytest
import torch
from mmengine.registry import MODELS

from mmmgd.__main__ import main
from mmmgd.config import read_config


@pytest.fixture
def new(capsys, tmp_path, monkeypatch):
    """Run the command in an empty folder; return config and words."""
    monkeypatch.chdir(tmp_path)

    def _new(student, teacher, *argv, status=0):
        words = ['new', str(student), '--teacher', str(teacher), *argv]
        if status:
            with pytest.raises(SystemExit) as error:
                main(words)
            return None, str(error.value)
        assert main(words) == 0
        return read_config('my_distill.py'), capsys.readouterr().out

    return _new


@pytest.fixture
def plain(runner_cfg, classifier_cfg, tmp_path):
    """A user's own config of a small classifier, and its images."""

    def _plain(name='plain.py', width=4, **changes):
        cfg = runner_cfg(classifier_cfg(width))
        cfg.merge_from_dict(changes)
        cfg.dump(str(tmp_path / name))
        return tmp_path / name

    return _plain


@pytest.fixture
def teacher(runner_cfg, classifier_cfg, tmp_path):
    """A wider model of the user's: its config, and a checkpoint with it."""
    cfg = runner_cfg(classifier_cfg(width=6))
    cfg.dump(str(tmp_path / 'wide.py'))
    torch.manual_seed(1)
    state = MODELS.build(cfg.model).state_dict()
    meta = dict(cfg=cfg.pretty_text, dataset_meta=dict(classes=tuple('abcd')))
    torch.save(dict(meta=meta, state_dict=state), tmp_path / 'wide.pth')
    torch.save(state, tmp_path / 'bare.pth')
    return tmp_path
