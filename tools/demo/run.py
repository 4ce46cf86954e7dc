"""The demonstration: does a teacher make a small student better?

Trains, for each task, a teacher, the student alone and the student with the
teacher's help, all on scikit-learn's handwritten digits, and evaluates each
with `tools/test.py` from its checkpoint. Results go to the terminal and to
`work_dirs/demo/results.json` in the current folder, the digits to `data/`.

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
from pathlib import Path

from _stages import Running, Stage, clock, run_all

from mmmgd.checkpoints.atomic import write_json

from . import plan


def main(argv: Sequence[str] | None = None) -> None:
    """Run all stages, then print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        '--tasks',
        nargs='+',
        default=['classification', 'detection'],
        choices=[*plan.TASKS, 'all'],
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
    tasks = list(plan.TASKS) if 'all' in args.tasks else args.tasks
    begin = time.monotonic()
    stages: dict[str, Stage] = {}
    for task in tasks:
        shutil.rmtree(plan.OUT / task, ignore_errors=True)
        for stage in plan.stages_of(task, args.seeds, args.students):
            stages.setdefault(stage.title, stage)  # tasks may share data
    run_all(list(stages.values()), args.jobs, Path(), link_last)
    results = {t: collect(t, args.seeds, args.students) for t in tasks}
    write_json(plan.OUT / 'results.json', results)
    for task, rows in results.items():
        print_table(task, rows)
    seconds = time.monotonic() - begin
    print(f'{clock(seconds)} in all. See {plan.OUT}.')


def link_last(one: Running) -> None:
    """Give the last checkpoint of a training a name without a number."""
    command = list(one.stage.command)
    if '--work-dir' not in command:
        return
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
            file = plan.run_dir(task, name, seed) / 'metrics.json'
            value = json.loads(file.read_text())[plan.TASKS[task].metric]
            values.append(value * plan.TASKS[task].percent)
        rows[name] = {
            'name': plan.NAMES[name],
            'metric': plan.TASKS[task].metric,
            'values': values,
            'mean': statistics.mean(values),
            'sd': statistics.stdev(values) if len(values) > 1 else None,
        }
    return rows


def print_table(task: str, rows: dict[str, dict]) -> None:
    """Print one task's rows."""
    print(f'\n{task + ", " + plan.TASKS[task].label:<36}')
    for row in rows.values():
        spread = '' if row['sd'] is None else f' ± {row["sd"]:.2f}'
        print(f'  {row["name"]:<24}{row["mean"]:8.2f}{spread}')
    print()
