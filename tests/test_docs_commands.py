"""Commands and configs of the documents: they parse, and those that can, run.

What needs a GPU, a data set that is not here, or half an hour (`make test`) is
parsed: its tool, its options and the files that it names exist.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / 'tools/dev'))

import docs_links  # noqa: E402

PAGES = [
    *(p for p in ROOT.glob('*.md') if p.name != 'CHANGELOG.md'),
    *ROOT.glob('docs/**/*.md'),
    ROOT / 'configs/README.md',
]
FIRST = ('make ', 'python ', 'bash ', 'pip ', 'git ', 'mim ', 'cd ', 'source ')
NAME = re.compile(r'(?:configs|docs|tools|requirements)/[\w./-]+\.\w+')


def commands(page):
    """Return each command line of a page, in blocks or within a sentence."""
    text = page.read_text('utf-8')
    parts = [t for name, t in docs_links.blocks(text) if name == 'shell']
    rest = docs_links.FENCE.sub('', text)
    parts += re.findall(r'(?<=\n\n)(?:    .*\n)+', rest)
    parts += re.findall(r'(?<!`)`([^`]+)`(?!`)', rest)
    lines = [
        ' '.join(line.replace('\\\n', ' ').split())
        for part in parts
        for line in re.split(r'(?<!\\)\n', part.strip())
    ]
    lines = [one for line in lines for one in line.split(' && ')]
    lines = [re.sub(r'^\w+=\$?\S+ (?=python|bash)', '', x) for x in lines]
    return [line for line in lines if line.startswith(FIRST)]


ALL = sorted({line for page in PAGES for line in commands(page)})


def sources(words):
    """Return the files that read the options of a command."""
    if words[:3] == ['python', '-m', 'mmmgd']:
        if words[3] in ('train', 'test'):
            return sources(['python', f'tools/{words[3]}.py'])
        return [ROOT / 'mmmgd/cli' / f'{words[3]}.py', ROOT / 'mmmgd/cli']
    script = ROOT / next(w for w in words if w.startswith('tools/'))
    stem = dict(dist_train='train', dist_test='test').get(script.stem)
    tool = script.with_name(f'{stem or script.stem}.py')
    tools = ROOT / 'tools'
    return [script, tool, tools / script.stem, *tools.glob('_*')]


@pytest.mark.parametrize('line', ALL)
def test_the_command_exists(line):
    words = shlex.split(line, comments=True)
    for name in NAME.findall(' '.join(words)):
        assert (ROOT / name).exists() or name.startswith('docs/studies'), name
    if words[0] == 'make':
        makefile = (ROOT / 'Makefile').read_text('utf-8')
        for word in words[1:]:
            key, assigned, _ = word.partition('=')
            rule = (
                rf'^{key} \??[:?]?=' if assigned else rf'^(.* )?{key}( .*)?:'
            )
            assert re.search(rule, makefile, re.M), word
    elif words[1].startswith('tools/'):
        known = read(sources(words))
        for option in (w for w in words if w.startswith('--')):
            assert repr(option) in known, option
    elif words[:3] == ['python', '-m', 'mmmgd'] and words[3:]:
        from mmmgd.__main__ import COMMANDS

        assert words[3] in COMMANDS
        known = read(sources(words))
        for option in (w for w in words if w.startswith('--')):
            assert repr(option) in known, option


def read(paths):
    """Return the text of files, and of those in folders."""
    files = [
        file
        for path in paths
        for file in ([path] if path.is_file() else path.rglob('*.py'))
    ]
    return '\n'.join(file.read_text('utf-8') for file in files)


def test_commands_are_found():
    """In blocks of both kinds, and where a sentence breaks one over lines."""
    assert {
        'python -m mmmgd calibrate CONFIG',
        'git add docs/studies # lines, summary, report and the teacher',
        'bash tools/dist_train.sh my_distill.py 8 '
        '# eight GPUs; one: tools/train.py',
    } <= {*ALL}
    assert len(ALL) > 40


def python_block(page, word):
    """Return the block of a page that has a word in it."""
    text = (ROOT / page).read_text('utf-8')
    (found,) = [
        block
        for name, block in docs_links.blocks(text)
        if name == 'python' and word in block
    ]
    return found


def scope_of(block):
    scope: dict = {}
    exec(block, scope)
    return scope


@pytest.mark.parametrize(
    ('page', 'word', 'teacher', 'losses'),
    [
        (
            'docs/concepts.md',
            'ConvNeXt',
            'mmpretrain::convnext/convnext-tiny_32xb128_in1k.py',
            {'loss_mgd.0', 'loss_mgd.1'},
        ),
        (
            'docs/methods.md',
            'loss_nkd',
            'mmpretrain::resnet/resnet34_8xb32_in1k.py',
            {'loss_mgd', 'loss_nkd'},
        ),
    ],
)
def test_the_example_takes_a_step(page, word, teacher, losses):
    pytest.importorskip('mmpretrain')
    from mmengine.registry import MODELS, init_default_scope
    from mmpretrain.structures import DataSample

    from mmmgd.config import read_config

    init_default_scope('mmpretrain')
    student = read_config('mmpretrain::resnet/resnet18_8xb32_in1k.py')
    model = MODELS.build(
        dict(
            type='mmmgd.MGDDistill',
            student=student.model,
            teacher=dict(config=teacher, checkpoint=False),
            distill=scope_of(python_block(page, word))['distill'],
            image_size=64,
            data_preprocessor=dict(
                type='mmpretrain.ClsDataPreprocessor',
                **student.data_preprocessor,
            ),
        )
    )
    model.init_weights()
    data = dict(
        inputs=torch.randint(0, 255, (2, 3, 64, 64)).float(),
        data_samples=[DataSample().set_gt_label(i) for i in range(2)],
    )
    found = model(**model.data_preprocessor(data, True), mode='loss')
    assert losses < set(found)
    sum(found.values()).backward()
    for pair in (p for t in model.terms.values() for p in t.pairs):
        layer = model.student.get_submodule(pair.student)
        assert sum(p.grad.abs().sum() for p in layer.parameters()) > 0


def test_writing_your_own_is_the_recipe(tmp_path):
    pytest.importorskip('mmpretrain')
    from mmmgd.config import read_config

    file = tmp_path / 'config.py'
    file.write_text(python_block('configs/README.md', 'any student'))
    recipe = 'mgd-channel_resnet34_resnet18_8xb32_in1k.py'
    found = read_config(str(ROOT / 'configs/classification' / recipe))
    assert read_config(str(file)).model == found.model


@pytest.mark.slow
def test_your_own_pair_as_written(runner_cfg, classifier_cfg, run, tmp_path):
    """The commands of the README, for a student, a teacher and data."""
    names = {'18': 'own_student', '34': 'own_teacher'}
    trained = {'teacher': 6, 'work_dirs/baseline': 4}
    for folder, width in trained.items():
        cfg = runner_cfg(classifier_cfg(width=width))
        cfg.work_dir = str(tmp_path / folder)
        run(cfg)
    for number, width in (('18', 4), ('34', 6)):
        cfg = runner_cfg(classifier_cfg(width=width))
        plain = {k: v for k, v in cfg.items() if k != 'work_dir'}
        Config(plain).dump(tmp_path / f'{names[number]}.py')
    blocks = docs_links.blocks((ROOT / 'README.md').read_text('utf-8'))
    (script,) = [t for _, t in blocks if 'mmmgd new' in t]
    for number, name in names.items():
        upstream = f'mmpretrain::resnet/resnet{number}_8xb32_in1k.py'
        assert upstream in script
        script = script.replace(upstream, f'{name}.py')
    weights = tmp_path / 'teacher/epoch_1.pth'
    for old, new in {
        'own_teacher.py': f'own_teacher.py --teacher-checkpoint {weights}',
        'calibrate my_distill.py': 'calibrate my_distill.py --batches 2',
        'my_distill.py 8 ': 'my_distill.py 2 ',
        'epoch_100.pth': 'epoch_1.pth',
        ' tools/': f' {ROOT}/tools/',
    }.items():
        assert old in script, old
        script = script.replace(old, new)
    done = shell(script, tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert 'accuracy/top1' in done.stdout + done.stderr
    assert '| student alone |' in done.stdout
    cfg = Config.fromfile(tmp_path / 'my_distill.py')
    assert cfg.model.teacher.config == 'own_teacher.py'
    state = torch.load(
        tmp_path / 'work_dirs/my_distill/epoch_1.pth', weights_only=False
    )['state_dict']
    assert not any('teacher' in key for key in state)


@pytest.mark.slow
def test_the_published_pair_as_written(tmp_path):
    """What needs no data: `doctor`, `new` and `inspect`."""
    pytest.importorskip('mmpretrain')
    blocks = docs_links.blocks((ROOT / 'README.md').read_text('utf-8'))
    text = '\n'.join(text for name, text in blocks if name == 'shell')
    doctor, new, inspect = (
        re.search(rf'^python -m mmmgd {name} .*?(?<!\\)\n', text, re.M | re.S)
        for name in ('doctor', 'new', 'inspect')
    )
    script = new[0] + inspect[0].replace('.py', '.py --no-weights', 1)
    done = shell(script + doctor[0].strip() + ' || true\n', tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'loss_mgd    backbone.layer4 512x7x7 /32' in done.stdout
    assert 'classification (mmpretrain)' in done.stdout


def shell(script, folder):
    """Run lines in a shell, `python` being the one of this process."""
    path = f'{Path(sys.executable).parent}:{os.environ["PATH"]}'
    extra = dict(PATH=path, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1')
    return subprocess.run(
        ['bash', '-ec', script],
        cwd=folder,
        env=os.environ | extra | dict(PORT='29731'),
        capture_output=True,
        text=True,
        timeout=900,
    )
