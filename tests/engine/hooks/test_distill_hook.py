"""Through real Runners: real data, real files."""

import copy
import subprocess
import sys

import pytest
import torch
from mmengine.registry import MODELS
from mmengine.runner import Runner

from mmmgd.checkpoints.state_dicts import read_state_dict

# Without our package: read each file, load it strictly, use it.
PLAIN = """
import sys, torch
from mmengine.config import Config
from mmengine.registry import MODELS
cfg = Config.fromfile(sys.argv[1])
for path in sys.argv[2:]:
    model = MODELS.build(cfg.model)
    file = torch.load(path, map_location='cpu', weights_only=False)
    model.load_state_dict(file['state_dict'], strict=True)
assert not any(name.startswith('mmmgd') for name in sys.modules)
print('loaded', len(sys.argv) - 2)
"""


def _files(folder):
    last = (folder / 'last_checkpoint').read_text()
    best = list(folder.glob('best_*.pth'))
    assert len(best) == 1
    return [*sorted(folder.glob('epoch_*.pth')), *best, last]


def _load(path):
    return torch.load(path, map_location='cpu', weights_only=False)


def _equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize('loss_weight', [0.0])
def test_without_weight_the_student_is_the_plain_one(
    run, runner_cfg, distiller_cfg, classifier_cfg, loss_weight
):
    """Bit by bit after 12 real steps, dropout and augmentation on."""
    cfg = distiller_cfg()
    cfg['distill']['loss_mgd']['loss']['loss_weight'] = loss_weight
    ours = run(runner_cfg(cfg)).model
    plain = run(runner_cfg(classifier_cfg())).model
    assert _equal(ours.student.state_dict(), plain.state_dict())


def test_with_weight_it_is_not(run, runner_cfg, distiller_cfg, classifier_cfg):
    ours = run(runner_cfg(distiller_cfg())).model
    plain = run(runner_cfg(classifier_cfg())).model
    assert not _equal(ours.student.state_dict(), plain.state_dict())


def test_each_file_is_the_plain_student(
    run, runner_cfg, distiller_cfg, classifier_cfg, tmp_path
):
    runner = run(runner_cfg(distiller_cfg(), epochs=2))
    files = _files(tmp_path / 'work')
    assert len(files) == 4
    plain = tmp_path / 'plain.py'
    plain.write_text(
        f"default_scope = 'mmpretrain'\nmodel = {classifier_cfg()!r}\n"
    )
    done = subprocess.run(
        [sys.executable, '-c', PLAIN, str(plain), *map(str, files)],
        capture_output=True,
        text=True,
    )
    assert 'loaded 4' in done.stdout, done.stderr
    student = runner.model.student.state_dict()
    assert _equal(_load(tmp_path / 'work/epoch_2.pth')['state_dict'], student)
    # and as a teacher, or to start from
    assert _equal(read_state_dict(str(files[1])), student)


def test_a_file_holds_student_connectors_and_their_optimizer_state(
    run, runner_cfg, distiller_cfg, tmp_path
):
    runner = run(runner_cfg(distiller_cfg()))
    file = _load(tmp_path / 'work' / 'epoch_1.pth')
    terms = runner.model.terms.state_dict()
    assert _equal(file['mmmgd']['state_dict'], terms)
    streams = file['mmmgd']['mask_streams']
    assert [s['draws'] for s in streams.values()] == [12]
    count = sum(p.numel() for p in runner.model.parameters())
    state = file['optimizer']['state'].values()
    assert sum(s['momentum_buffer'].numel() for s in state) == count


def test_three_epochs_are_two_and_a_resumed_third(
    run, runner_cfg, distiller_cfg, tmp_path
):
    """Students, generators and masks; shuffling is seeded by the epoch.

    Without augmentation, dropout and drop-path, whose global random state
    MMEngine does not save.
    """
    model = distiller_cfg()
    for part in (model['student'], model['teacher']['config']):
        part['head']['dropout_rate'] = 0.0
        part['backbone']['drop_path_rate'] = 0.0

    def cfg(name):
        cfg = runner_cfg(model, epochs=3, work_dir=str(tmp_path / name))
        pipeline = cfg.train_dataloader.dataset.pipeline
        cfg.train_dataloader.dataset.pipeline = [pipeline[0], pipeline[-1]]
        return cfg

    whole = run(cfg('whole')).model
    run(cfg('parts'))
    for name in ('epoch_3.pth',):
        (tmp_path / 'parts' / name).unlink()
    (tmp_path / 'parts' / 'last_checkpoint').write_text(
        str(tmp_path / 'parts' / 'epoch_2.pth')
    )
    resumed = run(cfg('parts'), resume=True).model
    assert _equal(resumed.state_dict(), whole.state_dict())
    streams = [
        m.terms['loss_mgd'].connectors[0].mask_stream.state_dict()
        for m in (resumed, whole)
    ]
    assert streams[0] == streams[1]


def test_resuming_with_other_connectors_is_refused(
    run, runner_cfg, distiller_cfg
):
    run(runner_cfg(distiller_cfg()))
    changed = distiller_cfg()
    changed['distill']['loss_new'] = changed['distill'].pop('loss_mgd')
    with pytest.raises(ValueError, match='`distill` has changed'):
        run(runner_cfg(changed, epochs=2), resume=True)


@pytest.mark.parametrize('source', ['distilled', 'plain'])
def test_load_from_takes_any_file_of_the_student(
    run, runner_cfg, distiller_cfg, classifier_cfg, tmp_path, source
):
    model = distiller_cfg() if source == 'distilled' else classifier_cfg()
    first = run(runner_cfg(model)).model
    cfg = runner_cfg(
        distiller_cfg(), load_from=str(tmp_path / 'work' / 'epoch_1.pth')
    )
    cfg.experiment_name = f'{tmp_path.name}-{source}'
    runner = Runner.from_cfg(cfg)
    fresh = copy.deepcopy(runner.model.terms.state_dict())
    runner.load_or_resume()
    student = first.student if source == 'distilled' else first
    assert _equal(runner.model.student.state_dict(), student.state_dict())
    assert _equal(runner.model.terms.state_dict(), fresh)


def test_ema_files_hold_the_averaged_student_and_resume(
    run, runner_cfg, distiller_cfg, classifier_cfg, tmp_path
):
    ema = [dict(type='EMAHook', momentum=0.1, strict_load=True)]
    runner = run(runner_cfg(distiller_cfg(), custom_hooks=ema))
    file = _load(tmp_path / 'work' / 'epoch_1.pth')
    hook = next(h for h in runner.hooks if hasattr(h, 'ema_model'))
    averaged = hook.ema_model.module.student.state_dict()
    assert _equal(file['state_dict'], averaged)
    assert not _equal(averaged, runner.model.student.state_dict())
    MODELS.build(classifier_cfg()).load_state_dict(file['state_dict'])

    resumed = Runner.from_cfg(
        runner_cfg(
            distiller_cfg(),
            epochs=2,
            custom_hooks=ema,
            resume=True,
            experiment_name=f'{tmp_path.name}-ema',
        )
    )
    resumed.call_hook('before_run')
    resumed._train_loop = resumed.build_train_loop(resumed._train_loop)
    resumed.load_or_resume()
    hook = next(h for h in resumed.hooks if hasattr(h, 'ema_model'))
    assert _equal(
        resumed.model.student.state_dict(), runner.model.student.state_dict()
    )
    assert _equal(hook.ema_model.module.student.state_dict(), averaged)


def test_a_dead_key_stops_the_run_before_the_first_step(
    runner_cfg, distiller_cfg, run
):
    cfg = runner_cfg(distiller_cfg())
    cfg.optimizer_config = dict(grad_clip=dict(max_norm=35))
    with pytest.raises(ValueError, match="'optimizer_config'.*never reads"):
        run(cfg)


def test_the_hook_belongs_to_our_model(runner_cfg, classifier_cfg, run):
    cfg = runner_cfg(classifier_cfg())
    cfg.custom_hooks = [dict(type='mmmgd.DistillHook')]
    with pytest.raises(TypeError, match='Remove the hook'):
        run(cfg)
