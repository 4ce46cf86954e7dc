"""The benchmark tool on a small pair, with the real MMRazor beside it."""

import json
import sys
from pathlib import Path

import pytest
import torch
from torch.profiler import profile

sys.path.insert(0, str(Path(__file__).parents[2] / 'tools'))

from benchmark import generator, gpu, meter, models, step

from mmmgd.config import read_config
from mmmgd.ops import products


@pytest.fixture
def config(tmp_path, distiller_cfg):
    """A pair of small classifiers whose masks hide positions."""
    model = distiller_cfg()
    connector = dict(type='mmmgd.MGDConnector', mask_ratio=0.4)
    model['distill']['loss_mgd']['connector'] = connector
    path = tmp_path / 'pair.py'
    path.write_text(f'default_scope = "mmpretrain"\nmodel = {model!r}\n')
    return str(path)


def test_mmrazor_gets_the_same_pair(config):
    cfg = read_config(config)
    ours = models.build_ours(cfg)
    theirs = models.build_mmrazor(cfg, ours)
    assert type(theirs).__module__.startswith('mmrazor.')
    connector = theirs.distiller.connectors['loss_mgd']
    assert type(connector).__module__.startswith('mmrazor.')
    assert connector.lambda_mgd == 0.4 and not connector.mask_on_channel
    own = ours.terms['loss_mgd'].connectors[0]
    shapes = {k: v.shape for k, v in own.state_dict().items()}
    assert {k: v.shape for k, v in connector.state_dict().items()} == shapes
    loss = theirs.distiller.distill_losses['loss_mgd']
    assert loss.alpha_mgd == 1e-3
    student = ours.student.state_dict()
    assert list(theirs.student.state_dict()) == list(student)


@pytest.mark.slow
def test_it_measures_and_writes(config, tmp_path, capsys):
    out = tmp_path / 'result.json'
    step.main(
        [config, '--against', 'mmrazor', '--size', '32', '32']
        + ['--rounds', '2', '--out', str(out), '--subjects', 'step']
        + ['mmrazor', 'student', 'rest', '--device', 'cpu']
    )
    result = json.loads(out.read_text())
    assert {len(runs) for runs in result['runs'].values()} == {2}
    assert all(s > 0 for s in result['seconds'].values())
    operations = result['operations']
    assert operations['step'] > 2 * operations['student'] > 0
    assert operations['rest'] == operations['student']
    files = result['checkpoint']
    # MMRazor's file holds the teacher as well
    assert files['student'] < files['step'] < files['mmrazor']
    # a process that has imported torch takes more than 100 MB
    assert min(result['peak_memory'].values()) > 1e8
    printed = capsys.readouterr().out
    ratio = result['seconds']['mmrazor'] / result['seconds']['step']
    assert f'MMRazor / ours: {ratio:.2f}' in printed


@pytest.mark.slow
def test_one_command_makes_a_table_and_a_file_to_send(
    config, tmp_path, capsys
):
    """`make benchmark-gpu`, of a small pair on the CPU; what fails is told."""
    out = tmp_path / 'gpu.json'
    gpu.main(
        ['--device', 'cpu', '--rounds', '1', '--out', str(out)]
        + ['--pair', config, '2', '32', '32']
        + ['--pair', 'absent.py', '1', '32', '32']
    )
    runs = json.loads(out.read_text())
    assert [run['amp'] for run in runs] == [False, True, False, True]
    for run in runs[:2]:
        assert {'step', 'mmrazor', 'student'} <= set(run['seconds'])
        assert run['size'] == [32, 32] and run['peak_memory']['step'] > 1e8
    assert all('absent.py' in run['error'] for run in runs[2:])
    table = out.with_suffix('.md').read_text()
    assert table in capsys.readouterr().out
    *_, first, second, third, fourth = table.splitlines()
    ratio = runs[0]['seconds']['mmrazor'] / runs[0]['seconds']['step']
    assert '| pair | 2 × 32 × 32 | float32, TF32 |' in first
    assert f'| {ratio:.2f} |' in first and '| AMP |' in second
    assert 'absent.py' in third and 'absent.py' in fourth


def test_a_loss_that_mmrazor_lacks_is_refused(config):
    cfg = read_config(config)
    ours = models.build_ours(cfg)
    ours.terms['loss_mgd'].loss = ours.student.head
    with pytest.raises(ValueError, match='MGDLoss.*StackedLinearClsHead'):
        models.build_mmrazor(cfg, ours)


def test_the_generator_alone(capsys):
    generator.main(
        ['--channels', '4', '8', '--sizes', '1x6x6', '2x3x4']
        + ['--rounds', '1', '--device', 'cpu']
    )
    *_, first, second = capsys.readouterr().out.splitlines()
    assert first.startswith('4 -> 8, 0.65, 1x6x6 ')
    plain, ours, ratio = map(float, second.split()[-3:])
    assert min(plain, ours) > 0
    assert ratio == pytest.approx(plain / ours, rel=0.1)


def test_ours_is_the_sparse_way():
    runs = generator.subjects(256, 256, 0.5, (1, 26, 26), 'cpu')
    seen = {}
    for name, run in runs.items():
        with profile() as log:
            run()
        seen[name] = {event.key for event in log.key_averages()}
    assert 'VisibleConv' not in seen['plain']
    assert 'VisibleConv' in seen['ours']


def test_every_product_is_counted():
    """Also those that add to a tensor, as the sparse way's do."""
    a, b, c = torch.ones(4, 2, 3), torch.ones(4, 3, 5), torch.ones(4, 2, 5)

    def run():
        torch.mm(a[0], b[0])
        c[0].addmm_(a[0], b[0])
        c.baddbmm_(a, b)
        c[0].addbmm_(a, b)
        products._onednn(a[0], b[0])

    expected = 2 * (2 * 3 * 5) * (1 + 1 + 4 + 4 + 1)
    assert meter.count_operations(run) == expected
