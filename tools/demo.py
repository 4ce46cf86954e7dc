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
        [[DIGITS, *COCO]], 'coco/segm_mAP', 'mask AP (%)', 100.0
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
    """Return the processes of a task, in order; the teacher runs once."""
    logs = OUT / task / 'logs'
    stages = [
        Stage(
            ' '.join(['data', *command[1:]]), command, logs / f'data-{i}.log'
        )
        for i, command in enumerate(TASKS[task].data)
    ]
    data = [stage.title for stage in stages]
    trained = {}
    runs = [('teacher', seeds[0])]
    runs += [(name, seed) for seed in seeds for name in students]
    for name, seed in runs:
        work_dir = run_dir(task, name, seed)
        config = f'configs/demo/{task}_{name}.py'
        train = ['tools/train.py', config, '--work-dir', str(work_dir)]
        train += ['--cfg-options', f'randomness.seed={seed}']
        test = ['tools/test.py', config, str(work_dir / 'last.pth')]
        test += ['--work-dir', str(work_dir / 'test')]
        test += ['--out', str(work_dir / 'metrics.json')]
        title = f'{task}: {NAMES[name]}'
        title += f' (seed {seed})' if len(seeds) > 1 else ''
        log = logs / f'{name}-{seed}'
        needs = [*data] if name in ALONE else [*data, trained['teacher']]
        one = Stage(
            f'{title}, training', train, log.with_suffix('.train.log'), needs
        )
        trained.setdefault(name, one.title)
        two = Stage(
            f'{title}, testing',
            test,
            log.with_suffix('.test.log'),
            [one.title],
        )
        stages += [one, two]
    if TASKS[task].pictures:
        paint = ['tools/analysis_tools/compare_predictions.py']
        paint += ['--out', str(OUT / task / 'predictions.png')]
        for name in ['teacher', *students]:
            config = f'configs/demo/{task}_{name}.py'
            file = run_dir(task, name, seeds[0]) / 'last.pth'
            paint += ['--model', NAMES[name], config, str(file)]
        needs = list(trained.values())
        log = logs / 'paint.log'
        stages.append(Stage(f'{task}: pictures', paint, log, needs))
    return stages


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
