"""The stages of the demonstration, for each task."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from _stages import Stage

# The checkout, or `.mim` of the package, which may be read only: what is
# written goes below the current folder, where the configs look for it.
HOME = Path(__file__).resolve().parents[2]
OUT = Path('work_dirs', 'demo')


@dataclass(frozen=True)
class Task:
    """What the demonstration knows of a task; the rest is in its configs."""

    data: Sequence[Sequence[str]]  # commands that write it
    metric: str
    label: str
    percent: float = 1.0  # what makes a percentage of the metric
    pictures: bool = True
    starts_from: Sequence[tuple[str, str]] = ()  # backbones: task, name


def ours(path: str) -> str:
    """Return where a file of the project lies."""
    return str(HOME / path)


DIGITS = ours('tools/dataset_converters/digits.py')
FEW = ['--out', 'data/digits_few', '--train-per-class', '10']
COCO = ['--layout', 'coco']
TASKS = {
    'classification': Task(
        [[DIGITS], [DIGITS, *FEW]],
        'accuracy/top1',
        'top-1 (%)',
        pictures=False,
    ),
    'detection': Task([[DIGITS, *COCO]], 'coco/bbox_mAP', 'box AP (%)', 100.0),
    'instance_segmentation': Task(
        [[DIGITS, *COCO]],
        'coco/segm_mAP',
        'mask AP (%)',
        100.0,
        starts_from=[('detection', 'teacher'), ('detection', 'baseline')],
    ),
    'semantic_segmentation': Task(
        [[DIGITS, '--layout', 'cityscapes']], 'mIoU', 'mIoU (%)'
    ),
}
NAMES = {
    'teacher': 'teacher',
    'baseline': 'student alone',
    'mimic': 'student imitating',
    'mgd': 'student + MGD',
}
ALONE = {'teacher', 'baseline'}  # the others need the teacher's file


def stages_of(
    task: str, seeds: Sequence[int], students: Sequence[str]
) -> list[Stage]:
    """Return the processes of a task; the teacher is trained once."""
    data = data_of(task)
    needs = [stage.title for stage in data]
    before = [
        stage
        for other, name in TASKS[task].starts_from
        for stage in [*data_of(other), training(other, name, 0, needs)]
    ]
    needs = [*needs, *(stage.title for stage in before)]
    teacher = training(task, 'teacher', seeds[0], needs)
    runs = [(name, seed) for seed in seeds for name in students]
    trained = [teacher] + [
        training(task, n, s, needs if n in ALONE else [*needs, teacher.title])
        for n, s in runs
    ]
    tested = [
        testing(task, n, s, one.title)
        for (n, s), one in zip(
            [('teacher', seeds[0]), *runs], trained, strict=True
        )
    ]
    stages = [*data, *before, *trained, *tested]
    if TASKS[task].pictures:
        shown = [one.title for one in trained[: 1 + len(students)]]
        stages.append(pictures(task, seeds[0], students, shown))
    return stages


def data_of(task: str) -> list[Stage]:
    """Return what writes the data; tasks may share it."""
    return [
        Stage(
            ' '.join(['data', *command[1:]]),
            command,
            OUT / task / 'logs' / f'data-{i}.log',
        )
        for i, command in enumerate(TASKS[task].data)
    ]


def training(task: str, name: str, seed: int, needs: Sequence[str]) -> Stage:
    """Return one training."""
    command = [ours('tools/train.py'), config(task, name)]
    command += ['--work-dir', str(run_dir(task, name, seed))]
    command += ['--cfg-options', f'randomness.seed={seed}']
    log = OUT / task / 'logs' / f'{name}-{seed}.train.log'
    title = f'{task}: {NAMES[name]} (seed {seed}), training'
    return Stage(title, command, log, needs)


def testing(task: str, name: str, seed: int, needs: str) -> Stage:
    """Return the evaluation of what one training wrote."""
    folder = run_dir(task, name, seed)
    command = [ours('tools/test.py'), config(task, name)]
    command += [str(folder / 'last.pth'), '--work-dir', str(folder / 'test')]
    command += ['--out', str(folder / 'metrics.json')]
    log = OUT / task / 'logs' / f'{name}-{seed}.test.log'
    title = f'{task}: {NAMES[name]} (seed {seed}), testing'
    return Stage(title, command, log, [needs])


def pictures(
    task: str, seed: int, students: Sequence[str], needs: Sequence[str]
) -> Stage:
    """Return what paints the predictions of the models side by side."""
    command = [ours('tools/analysis_tools/compare_predictions.py')]
    command += ['--out', str(OUT / task / 'predictions.png')]
    for name in ['teacher', *students]:
        file = run_dir(task, name, seed) / 'last.pth'
        command += ['--model', NAMES[name], config(task, name), str(file)]
    log = OUT / task / 'logs' / 'paint.log'
    return Stage(f'{task}: pictures', command, log, needs)


def config(task: str, name: str) -> str:
    """Return the config of a model."""
    return ours(f'configs/demo/{task}_{name}.py')


def run_dir(task: str, name: str, seed: int) -> Path:
    """Return the folder of one run; the configs name the teacher's."""
    return OUT / task / (name if name == 'teacher' else f'{name}-{seed}')
