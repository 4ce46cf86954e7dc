"""The demonstration: does a teacher make a small student better?

Trains, for each task, a teacher, the student alone and the student with the
teacher's help, all on scikit-learn's handwritten digits, and evaluates each
with `tools/test.py` from its checkpoint. Results go to the terminal and to
`work_dirs/demo/results.json`.

    python tools/demo.py
    python tools/demo.py --seeds 0 1 2 3 4 --students baseline mimic mgd
"""

import argparse
import json
import os
import shutil
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from _stages import Stage, clock, run_all

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / 'work_dirs' / 'demo'


@dataclass(frozen=True)
class Task:
    """What the demonstration knows of a task; the rest is in its configs."""

    data: Sequence[Sequence[str]]  # commands that write it
    metric: str
    label: str
    percent: float = 1.0  # what makes a percentage of the metric
    pictures: bool = True
    starts_from: Sequence[tuple[str, str]] = ()  # backbones: task, name


DIGITS = 'tools/dataset_converters/digits.py'
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


def main(argv: Sequence[str] | None = None) -> None:
    """Run all stages, then print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        '--tasks',
        nargs='+',
        default=['classification', 'detection'],
        choices=[*TASKS, 'all'],
    )
    parser.add_argument('--seeds', nargs='+', type=int, default=[0])
    parser.add_argument(
        '--students',
        nargs='+',
        default=['baseline', 'mgd'],
        choices=['baseline', 'mimic', 'mgd'],
        help='mimic: where the task has a config for it',
    )
    parser.add_argument(
        '--jobs',
        type=int,
        default=min(os.cpu_count() or 1, 4),
        help='processes side by side, of one thread each; default here: '
        '%(default)s',
    )
    args = parser.parse_args(argv)
    tasks = list(TASKS) if 'all' in args.tasks else args.tasks
    begin = time.monotonic()
    stages: dict[str, Stage] = {}
    for task in tasks:
        shutil.rmtree(OUT / task, ignore_errors=True)
        for stage in stages_of(task, args.seeds, args.students):
            stages.setdefault(stage.title, stage)  # tasks may share data
    run_all(list(stages.values()), args.jobs, ROOT, link_last)
    results = {t: collect(t, args.seeds, args.students) for t in tasks}
    write(results)
    for task, rows in results.items():
        print_table(task, rows)
    seconds = time.monotonic() - begin
    print(f'{clock(seconds)} in all. See {OUT}.')


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
    needs += [stage.title for stage in before]
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
    command = ['tools/train.py', f'configs/demo/{task}_{name}.py']
    command += ['--work-dir', str(run_dir(task, name, seed))]
    command += ['--cfg-options', f'randomness.seed={seed}']
    log = OUT / task / 'logs' / f'{name}-{seed}.train.log'
    title = f'{task}: {NAMES[name]} (seed {seed}), training'
    return Stage(title, command, log, needs)


def testing(task: str, name: str, seed: int, needs: str) -> Stage:
    """Return the evaluation of what one training wrote."""
    folder = run_dir(task, name, seed)
    command = ['tools/test.py', f'configs/demo/{task}_{name}.py']
    command += [str(folder / 'last.pth'), '--work-dir', str(folder / 'test')]
    command += ['--out', str(folder / 'metrics.json')]
    log = OUT / task / 'logs' / f'{name}-{seed}.test.log'
    title = f'{task}: {NAMES[name]} (seed {seed}), testing'
    return Stage(title, command, log, [needs])


def pictures(
    task: str, seed: int, students: Sequence[str], needs: Sequence[str]
) -> Stage:
    """Return what paints the predictions of the models side by side."""
    command = ['tools/analysis_tools/compare_predictions.py']
    command += ['--out', str(OUT / task / 'predictions.png')]
    for name in ['teacher', *students]:
        config = f'configs/demo/{task}_{name}.py'
        file = run_dir(task, name, seed) / 'last.pth'
        command += ['--model', NAMES[name], config, str(file)]
    log = OUT / task / 'logs' / 'paint.log'
    return Stage(f'{task}: pictures', command, log, needs)


def run_dir(task: str, name: str, seed: int) -> Path:
    """Return the folder of one run; the configs name the teacher's."""
    return OUT / task / (name if name == 'teacher' else f'{name}-{seed}')


def link_last(stage: Stage) -> None:
    """Give the last checkpoint of a training a name without a number."""
    if '--work-dir' not in stage.command:
        return
    command = list(stage.command)
    work_dir = Path(command[command.index('--work-dir') + 1])
    pointer = work_dir / 'last_checkpoint'
    if pointer.is_file():
        last = work_dir / 'last.pth'
        last.unlink(missing_ok=True)
        last.symlink_to(Path(pointer.read_text()).name)


def collect(
    task: str, seeds: Sequence[int], students: Sequence[str]
) -> dict[str, dict]:
    """Read the metric of each run, and its mean and spread over the seeds."""
    rows = {}
    for name in ['teacher', *students]:
        values = []
        for seed in seeds[:1] if name == 'teacher' else seeds:
            file = run_dir(task, name, seed) / 'metrics.json'
            value = json.loads(file.read_text())[TASKS[task].metric]
            values.append(value * TASKS[task].percent)
        rows[name] = {
            'name': NAMES[name],
            'metric': TASKS[task].metric,
            'values': values,
            'mean': statistics.mean(values),
            'sd': statistics.stdev(values) if len(values) > 1 else None,
        }
    return rows


def write(results: dict) -> None:
    """Write results.json; a reader never sees half a file."""
    part = OUT / 'results.json.part'
    part.write_text(json.dumps(results, indent=2) + '\n', encoding='utf-8')
    part.replace(OUT / 'results.json')


def print_table(task: str, rows: dict[str, dict]) -> None:
    """Print one task's rows."""
    print(f'\n{task + ", " + TASKS[task].label:<36}')
    for row in rows.values():
        spread = '' if row['sd'] is None else f' ± {row["sd"]:.2f}'
        print(f'  {row["name"]:<24}{row["mean"]:8.2f}{spread}')
    print()


if __name__ == '__main__':
    main()
