"""`tools/train.py` and `tools/test.py` with a student and its teacher."""

import importlib.util
import json
from pathlib import Path

import pytest
import torch

from mmmgd.models import Teacher

TOOLS = Path(__file__).parents[1] / 'tools'


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    monkeypatch.setenv('LOCAL_RANK', '0')

    def _load(name):
        spec = importlib.util.spec_from_file_location(
            f'tools_{name}', TOOLS / f'{name}.py'
        )
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return _load


@pytest.fixture
def project(tmp_path, runner_cfg, distiller_cfg, classifier_cfg, build):
    """Configs of the plain and of the distilled student, and a teacher."""
    model = distiller_cfg()
    teacher = build(model['teacher']['config'], seed=8)
    torch.save(teacher.state_dict(), tmp_path / 'teacher.pth')
    model['teacher']['checkpoint'] = str(tmp_path / 'teacher.pth')
    for name, part in (('mgd', model), ('plain', classifier_cfg())):
        cfg = runner_cfg(part)
        cfg.pop('work_dir')
        cfg.dump(str(tmp_path / f'{name}.py'))
    return tmp_path


def test_both_configs_test_alike_and_build_no_teacher(
    project, tool, monkeypatch
):
    monkeypatch.chdir(project)
    tool('train').main(['mgd.py', '--work-dir', 'work'])
    best = next((project / 'work').glob('best_*.pth'))
    (project / 'teacher.pth').unlink()

    def refuse(*args, **kwargs):
        raise AssertionError('the teacher was built for testing')

    monkeypatch.setattr(Teacher, '__init__', refuse)
    numbers = {}
    for config in ('mgd.py', 'plain.py', 'work/mgd.py'):
        for file in ('work/epoch_1.pth', str(best)):
            metrics = tool('test').main(
                [config, file, '--work-dir', 'tested', '--out', 'out.json']
            )
            assert json.loads(Path('out.json').read_text()) == metrics
            numbers[config, file] = metrics['accuracy/top1']
    assert len(set(numbers.values())) == 1
    # and it is the number of the last validation
    lines = [
        json.loads(line)
        for log in Path('work').glob('*/vis_data/*.json')
        for line in log.read_text().splitlines()
    ]
    validated = [x['accuracy/top1'] for x in lines if 'accuracy/top1' in x]
    assert validated[-1] == next(iter(numbers.values()))
    # each pair of points is logged
    assert [x for x in lines if 'loss_mgd' in x]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ('optimizer_config.grad_clip=35', "'optimizer_config'"),
        ('default_hooks.distill=None', 'DistillHook'),
    ],
)
def test_a_config_that_would_mislead_is_refused_first(
    project, tool, monkeypatch, options, message
):
    monkeypatch.chdir(project)
    with pytest.raises(SystemExit, match=message):
        tool('train').main(['mgd.py', '--cfg-options', options])
    assert not (project / 'work_dirs').exists()


def test_a_missing_teacher_file_stops_before_the_first_step(
    project, tool, monkeypatch
):
    monkeypatch.chdir(project)
    (project / 'teacher.pth').unlink()
    with pytest.raises(SystemExit, match='teacher.pth.*no such file'):
        tool('train').main(['mgd.py', '--work-dir', 'work'])
    assert not list((project / 'work').glob('*.pth'))
