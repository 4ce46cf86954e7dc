"""Times whole trainings: the stock tool, and ours with nothing to distil.

    python tools/benchmark/whole_run.py --rounds 5 --out result.json

Three trainings of the demonstration's student: with MMEngine's Runner alone,
as the codebases' own `train.py` do it; with `tools/train.py`; and with
`tools/train.py` as the student of MGDDistill whose losses end after the first
epoch (`until`). After it, the third has all of our hooks and its data, and
neither teacher nor connectors. What starting costs is a single epoch of each,
in turn, in a process of its own; what a step costs is measured in steps of
the first and the third that take turns in one process (turns.py). Seconds are
those of the processor, less disturbed by other work than those of a clock. The
digits that it reads are written by `make demo`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from turns import take_turns

from mmmgd.config import read_config

ROOT = Path(__file__).resolve().parents[2]
STOCK = """
import sys
from mmengine.config import Config
from mmengine.runner import Runner
cfg = Config.fromfile(sys.argv[1])
cfg.work_dir = sys.argv[2]
cfg.train_cfg.max_epochs = 1
Runner.from_cfg(cfg).train()
"""
STUDENT = 'configs/demo/classification_baseline.py'
TAUGHT = 'configs/demo/classification_mgd.py'
RESTS = {
    'model.distill.loss_mgd.until': 1,
    'model.teacher.checkpoint': False,
}
WAYS = {
    'stock': "MMEngine's Runner alone",
    'ours': '`tools/train.py`',
    'rests': 'the same, as a student whose loss has ended',
}


def command(way: str, work_dir: str) -> list[str]:
    """Return the command of a training of one epoch."""
    if way == 'stock':
        return ['-c', STOCK, STUDENT, work_dir]
    return [
        'tools/train.py',
        STUDENT if way == 'ours' else TAUGHT,
        *('--work-dir', work_dir, '--cfg-options'),
        'train_cfg.max_epochs=1',
        *(f'{k}={v}' for k, v in RESTS.items() if way == 'rests'),
    ]


def start_seconds(way: str) -> float:
    """Train for one epoch; return the processor's seconds."""
    before = os.times()
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, *command(way, folder)],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise SystemExit(f'The training {way!r} failed: {done.stderr[-2000:]}')
    after = os.times()
    return sum(
        getattr(after, name) - getattr(before, name)
        for name in ('children_user', 'children_system')
    )


def step_seconds(steps: int, rounds: int) -> list[dict[str, float]]:
    """Let steps of the first and the third take turns; return medians."""
    found = []
    for _ in range(rounds):
        taught = read_config(TAUGHT)
        taught.merge_from_dict(RESTS)
        with tempfile.TemporaryDirectory() as folder:
            stock, rests = take_turns(
                read_config(STUDENT), taught, Path(folder), steps
            )
        more = statistics.median(
            b - a for a, b in zip(stock, rests, strict=True)
        )
        found.append(dict(stock=statistics.median(stock), more=more))
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--steps', type=int, default=800)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--out', type=Path, help='json')
    args = parser.parse_args(argv)
    os.chdir(ROOT)
    starts: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(args.rounds):
        for way, times in starts.items():
            times.append(start_seconds(way))
    rounds = step_seconds(args.steps, args.rounds)
    middle = sorted(rounds, key=lambda one: one['more'])[len(rounds) // 2]
    stock, rests = middle['stock'], middle['stock'] + middle['more']
    steps = dict(stock=stock, rests=rests)
    rows = [
        dict(
            way=title,
            start=round(statistics.median(starts[way]), 2),
            step=round(steps[way] * 1000, 2) if way in steps else None,
        )
        for way, title in WAYS.items()
    ]
    text = json.dumps(dict(whole=rows, rounds=rounds), indent=1)
    print(text)
    if args.out:
        args.out.write_text(text + '\n')


if __name__ == '__main__':
    main()
