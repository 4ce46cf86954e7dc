"""Weights in the format of Hugging Face, at the doors that read a file."""

import sys
from pathlib import Path

import pytest
import torch
from mmengine.runner import load_checkpoint
from safetensors.torch import save_file

from mmmgd.checkpoints.reading import CheckpointError, read_file
from mmmgd.checkpoints.state_dicts import read_state_dict

ROOT = Path(__file__).parents[2]
WEIGHTS = {
    'weight': torch.arange(6.0).reshape(2, 3),
    'bias': torch.tensor([0.5, -1.0]),
}


@pytest.fixture
def file(tmp_path) -> str:
    path = tmp_path / 'model.safetensors'
    save_file(WEIGHTS, path)
    return str(path)


def _equal(state):
    assert state.keys() == WEIGHTS.keys()
    return all(torch.equal(state[k], v) for k, v in WEIGHTS.items())


def test_it_is_read(file):
    assert _equal(read_file(file))
    assert _equal(read_state_dict(file))
    meta = read_file(file, map_location='meta')
    assert meta['weight'].device.type == 'meta'


def test_the_student_is_taken_out_of_a_prefixed_file(tmp_path):
    path = tmp_path / 'x.safetensors'
    inner = {f'student.{k}': v for k, v in WEIGHTS.items()}
    save_file({**inner, 'teacher.w': torch.ones(1)}, path)
    assert _equal(read_state_dict(str(path)))


def test_mmengine_loads_it(file, guarded):
    model = torch.nn.Linear(3, 2)
    load_checkpoint(model, file, strict=True)
    assert _equal(model.state_dict())


@pytest.mark.parametrize('keep', [0, 5, 40, -4])
def test_a_damaged_file_is_refused(file, keep):
    path = Path(file)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match='model.safetensors.*damaged'):
        read_file(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='no such file'):
        read_file(str(tmp_path / 'x.safetensors'))


def test_a_converter_takes_it_apart(tmp_path, monkeypatch):
    folder = str(ROOT / 'tools' / 'model_converters')
    monkeypatch.syspath_prepend(folder)
    import distilled

    path = tmp_path / 'x.safetensors'
    save_file({f'architecture.{k}': v for k, v in WEIGHTS.items()}, path)
    layout, state = distilled.take_apart(read_file(str(path)))
    assert layout.name == 'MMRazor'
    assert set(state) == {'architecture.weight', 'architecture.bias'}
    sys.modules.pop('distilled', None)


def test_a_run_starts_from_it(
    tmp_path, run, runner_cfg, distiller_cfg, build, quick_start
):
    """Both the part of the teacher that is used, and `load_from`."""
    cfg = runner_cfg(distiller_cfg())
    student = build(cfg.model.student, seed=1)
    teacher = build(cfg.model.teacher.config, seed=2)
    for name, model in (('s', student), ('t', teacher)):
        save_file(model.state_dict(), tmp_path / f'{name}.safetensors')
    cfg.load_from = str(tmp_path / 's.safetensors')
    cfg.model.teacher.checkpoint = str(tmp_path / 't.safetensors')
    cfg.optim_wrapper.optimizer.lr = 0.0
    model = run(cfg).model
    for mine, theirs in (
        (model.student, student),
        (model.teacher.module.backbone, teacher.backbone),
    ):
        for (name, one), two in zip(
            mine.named_parameters(), theirs.parameters(), strict=True
        ):
            assert torch.equal(one, two), name
