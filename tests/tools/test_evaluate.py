"""tools/test.py, run for real on a tiny model and images."""

import json
import os
import pickle

import pytest
import torch

pytest.importorskip('mmpretrain')
pytestmark = pytest.mark.usefixtures('in_project')


def test_out_json_equals_the_last_validation(
    trained, project, tester, rank_file, last_accuracy
):
    checkpoint = str(trained / 'epoch_1.pth')
    metrics = tester.main(
        [
            'tiny.py',
            checkpoint,
            '--work-dir',
            str(project / 'tested'),
            '--out',
            'out/metrics.json',
            '--show-dir',
            'painted',
            '--cfg-options',
            'experiment_name=json',
        ]
    )
    written = json.loads((project / 'out' / 'metrics.json').read_text())
    assert written == metrics
    assert written['accuracy/top1'] == last_accuracy(trained)
    assert os.listdir(project / 'out') == ['metrics.json']  # no temporary
    assert len(list((project / 'painted').rglob('*.png'))) == 24
    # The optimizer of the file is of no interest, nor is its epoch.
    assert rank_file()['epoch'] == 0


def test_out_pkl_holds_every_prediction(trained, project, tester):
    tester.main(
        [
            'tiny.py',
            str(trained / 'epoch_1.pth'),
            '--out',
            'out.pkl',
            '--work-dir',
            str(project / 'pickled'),
            '--cfg-options',
            'experiment_name=pkl',
        ]
    )
    predictions = pickle.loads((project / 'out.pkl').read_bytes())
    assert len(predictions) == 24
    assert {'pred_score', 'gt_label'} <= set(predictions[0])


@pytest.mark.parametrize(
    ('argv', 'message'),
    [
        (['tinny.py', 'gone.pth'], "checkpoint: there is no file 'gone.pth'"),
        (['tinny.py', 'tiny.py'], 'Close names: tiny.py'),
        (['tiny.py', 'tiny.py', '--out', 'x.csv'], "but got 'x.csv'"),
        (
            ['tiny.py', 'tiny.py', '--out', 'tiny.py/x.json'],
            "--out 'tiny.py/x.json': nothing can be written there",
        ),
        (
            ['tiny.py', 'tiny.py', '--out', '/proc/x.json'],
            "--out '/proc/x.json': nothing can be written there",
        ),
        (
            [
                'tiny.py',
                'tiny.py',
                '--show-dir',
                'x',
                '--cfg-options',
                'default_hooks.visualization=None',
            ],
            '--show-dir expected',
        ),
    ],
)
def test_test_errors(argv, message, tester):
    with pytest.raises(SystemExit) as error:
        tester.main(argv)
    assert message in str(error.value)


def test_checkpoint_that_does_not_fit(trained, project, tester):
    """MMEngine would warn and report the accuracy of random weights."""
    state = torch.load(trained / 'epoch_1.pth', weights_only=False)[
        'state_dict'
    ]
    torch.save(
        {'state_dict': {f'architecture.{k}': v for k, v in state.items()}},
        'prefixed.pth',
    )
    options = ['--work-dir', str(project / 'misfit'), '--cfg-options']
    with pytest.raises(SystemExit, match='tensors missing: .*architecture'):
        tester.main(
            ['tiny.py', 'prefixed.pth', *options, 'experiment_name=prefixed']
        )
    with pytest.raises(SystemExit, match='2 tensors of another shape: '):
        tester.main(
            [
                'tiny.py',
                str(trained / 'epoch_1.pth'),
                *options,
                'model.backbone.num_classes=3',
                'experiment_name=wide',
            ]
        )


def test_a_deeper_model_is_not_scored_as_the_one_of_the_config(
    project, tester
):
    """All of its tensors that the config needs are there and fit."""
    from mmengine.registry import MODELS
    from small_models import classifier

    model = MODELS.build(classifier(depth=34, classes=2))
    torch.save({'state_dict': model.state_dict()}, 'deeper.pth')
    (project / 'small.py').write_text(
        f"_base_ = 'tiny.py'\nmodel = {classifier(classes=2)!r}\n"
        "model['_delete_'] = True\n"
        "pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]"
        '\ntest_dataloader = dict(dataset=dict(pipeline=pipeline))\n'
    )
    argv = ['small.py', 'deeper.pth', '--work-dir', str(project / 'deeper')]
    options = ['--cfg-options', 'experiment_name=deeper1']
    with pytest.raises(SystemExit, match='96 tensors not in the model: back'):
        tester.main([*argv, *options])
    argv += ['--allow-mismatch', '--cfg-options', 'experiment_name=deeper2']
    assert 'accuracy/top1' in tester.main(argv)
