"""A checkpoint written before the folders moved resumes as it would have.

`interrupted.pth` is a run of six of eight steps, saved on a SIGTERM in the
middle of its second epoch by the code of 22 November 2026 (commit b9fac3f);
`final.json` is the student at the end of that code's unbroken run: sum and
norm of each tensor.
"""

import json
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS

DATA = Path(__file__).parents[2] / 'data' / 'previous_layout'


def teacher_file(cfg, file):
    """Write weights by a formula: the same with any torch."""
    state = MODELS.build(cfg).state_dict()
    for key, value in state.items():
        if value.is_floating_point():
            wave = torch.arange(value.numel(), dtype=torch.float64).sin()
            size = 2 / max(value[0].numel(), 16) ** 0.5
            wave = 1 + wave / 4 if value.ndim == 1 else size * wave
            state[key] = wave.reshape(value.shape).to(value)
    torch.save(state, file)
    return str(file)


@pytest.fixture
def resumed(run, runner_cfg, distiller_cfg, classifier_cfg, tmp_path):
    """The run of that day, gone on with by the code of today."""
    pytest.importorskip('mmpretrain')
    work = tmp_path / 'work'
    work.mkdir()
    shutil.copy(DATA / 'interrupted.pth', work)
    (work / 'last_checkpoint').write_text(str(work / 'interrupted.pth'))
    wide = classifier_cfg(3)
    file = teacher_file(wide, tmp_path / 'teacher.pth')
    model = distiller_cfg(
        student=classifier_cfg(2), teacher=dict(config=wide, checkpoint=file)
    )
    cfg = runner_cfg(model, epochs=2, work_dir=str(work))
    cfg.train_dataloader.update(batch_size=12)
    cfg.optim_wrapper.optimizer.lr = 0.01
    return run(cfg, resume=True)


def test_it_goes_on_in_the_middle_of_the_epoch(resumed):
    assert (resumed.epoch, resumed.iter) == (2, 8)
    term = resumed.model.terms['loss_mgd']
    assert term.connectors[0].mask_stream.state_dict()['draws'] == 8


def test_it_ends_as_its_unbroken_run(resumed):
    """Up to the float32 roundings of two steps on another processor."""
    state = resumed.model.student.state_dict()
    expected = json.loads((DATA / 'final.json').read_text())
    assert state.keys() == expected.keys()
    file = torch.load(DATA / 'interrupted.pth', weights_only=False)
    moved = 0
    for key, (total, norm) in expected.items():
        value = state[key].double()
        scale = value.norm().item() * value.numel() ** 0.5
        assert value.sum().item() == pytest.approx(total, abs=1e-4 * scale)
        assert value.norm().item() == pytest.approx(norm, rel=1e-4)
        before = file['state_dict'][key].double().norm().item()
        moved += abs(before - norm) > 1e-3 * norm
    # the two steps are seen by this measure
    assert moved > len(expected) / 4
