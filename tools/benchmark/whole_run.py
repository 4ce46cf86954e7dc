"""Times whole trainings: the stock tool, and ours with nothing to distil.

    python tools/benchmark/whole_run.py --rounds 5 --out result.json

Three trainings of the demonstration's student take turns, each in a process of
its own: with MMEngine's Runner alone, as the codebases' own `train.py` do it;
with `tools/train.py`; and with `tools/train.py` as the student of MGDDistill
whose losses end after the first epoch (`until`). After it, the third has all
of our hooks, its data, checkpoint and validation, and neither teacher nor
connectors. Each is run for a single epoch, too: the difference is what the
steps cost, and the single epoch what starting costs. Seconds are those of the
processor (user and system), less disturbed by other work than those of a
clock. The digits that it reads are written by `make demo`.
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

ROOT = Path(__file__).resolve().parents[2]
STOCK = """
import sys
from mmengine.config import Config
from mmengine.runner import Runner
cfg = Config.fromfile(sys.argv[1])
cfg.work_dir = sys.argv[2]
cfg.train_cfg.max_epochs = cfg.train_cfg.val_interval = int(sys.argv[3])
cfg.default_hooks.checkpoint.interval = int(sys.argv[3])
Runner.from_cfg(cfg).train()
"""
STUDENT = 'configs/demo/classification_baseline.py'
TAUGHT = 'configs/demo/classification_mgd.py'
RESTS = (
    'model.distill.loss_mgd.until=1',
    'model.teacher.checkpoint=False',
)
LENGTHS = (
    'train_cfg.max_epochs',
    'train_cfg.val_interval',
    'default_hooks.checkpoint.interval',
)
WAYS = ('stock', 'ours', 'rests')


def command(way: str, epochs: int, work_dir: str) -> list[str]:
    """Return the command of a training."""
    if way == 'stock':
        return ['-c', STOCK, STUDENT, work_dir, str(epochs)]
    return [
        'tools/train.py',
        STUDENT if way == 'ours' else TAUGHT,
        *('--work-dir', work_dir, '--cfg-options'),
        *(f'{key}={epochs}' for key in LENGTHS),
        *(RESTS if way == 'rests' else ()),
    ]


def seconds(way: str, epochs: int) -> float:
    """Run a training; return the processor's seconds."""
    before = os.times()
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, *command(way, epochs, folder)],
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


def measure(epochs: int, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Time all, in turn: for each way the starts and the steps after."""
    found: dict[str, dict[str, list[float]]] = {
        way: dict(start=[], steps=[]) for way in WAYS
    }
    for _ in range(rounds):
        for way in WAYS:
            start = seconds(way, 1)
            found[way]['start'].append(start)
            found[way]['steps'].append(seconds(way, epochs) - start)
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--epochs', type=int, default=301)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--out', type=Path, help='json')
    args = parser.parse_args(argv)
    found = measure(args.epochs, args.rounds)
    for way, parts in found.items():
        text = ', '.join(
            f'{name} {statistics.median(values):.2f} s'
            for name, values in parts.items()
        )
        print(f'{way}: {text}')
    if args.out:
        args.out.write_text(json.dumps(found, indent=1) + '\n')


if __name__ == '__main__':
    main()
