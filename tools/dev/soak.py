"""Trains a student of the demo over and over, and breaks it at random.

Each round trains in a new work dir with ``--resume`` until it has ended. In
between it is killed (-9), asked to stop (SIGTERM), its disk is filled, or its
newest checkpoint is damaged. The student of each round must equal, bit by
bit, that of a training that nobody broke. Memory and open files of each
process are watched.

    python tools/dev/soak.py OUT --minutes 180 --task detection

Each round becomes a line of ``OUT/soak.jsonl``; started again, it goes on
with the next. A disk is filled only where OUT lies on a small one of its own:

    mount -t tmpfs -o size=1g soak OUT

Exits with 1 if a student differs, or a training ends in a way that it should
not.
"""

import argparse
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, List, Optional

import torch
from _soak_setup import EPOCHS, TASKS, write_data_and_configs
from _watch import Watch
from mmengine.registry import MODELS

from mmmgd.checkpoints.latest import checkpoints_of
from mmmgd.checkpoints.reading import read_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import train

FAULTS = ('kill', 'term', 'full', 'damage')
MAX_FAULTS = 4  # in a round; then it is left alone
SMALL = 4 << 30  # bytes; a larger disk is not filled
LEFT = 40_000  # bytes that a full disk has left: for lines of logs
# How a process may end, by what was done to it. A full disk may be noticed by
# a writer that is not ours, or not at all; a damaged file was killed before.
ENDS = {
    'kill': {-signal.SIGKILL, 0},
    'term': {-signal.SIGTERM, 128 + signal.SIGTERM, 0},
    'full': {1, 0},
    'damage': {-signal.SIGKILL, 0},
    None: {0},
}


def main(argv: Optional[List[str]] = None) -> int:
    """Soak; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out', type=Path, help='folder for all that is made')
    parser.add_argument('--minutes', type=float, default=180.0)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--task', choices=TASKS, default='detection')
    parser.add_argument(
        '--images', type=int, default=64, help='that are trained on'
    )
    args = parser.parse_args(argv)
    out, end = args.out.resolve(), time.monotonic() + 60 * args.minutes
    prepare(out, args.task, args.images)
    log, bad = out / 'soak.jsonl', 0
    while time.monotonic() < end:
        done = len(log.read_text().splitlines()) if log.is_file() else 0
        line = soak_round(out, done, random.Random(args.seed + done))  # noqa: S311
        with log.open('a') as file:
            file.write(json.dumps(line) + '\n')
        print(json.dumps(line), flush=True)
        bad += not line['ok']
    return int(bad > 0)


def prepare(out: Path, task: str, images: int) -> None:
    """Write data, train the teacher, and the student that nobody breaks."""
    out.mkdir(parents=True, exist_ok=True)
    write_data_and_configs(out, task, images)
    MODELS.get(TASKS[task].model)  # imported once, for all that are forked
    for name in ('teacher', 'whole'):
        if last(out / name).is_file():
            continue
        begin, watch = time.monotonic(), Watch()
        process = start(out, name, out / name)
        while process.exitcode is None:
            watch.look(process.pid)
            process.join(0.2)
        if process.exitcode:
            raise SystemExit('error: see {}/{}.log'.format(out, name))
        facts: Dict[str, Any] = {'seconds': time.monotonic() - begin}
        facts.update(watch.summary())
        (out / (name + '.json')).write_text(json.dumps(facts))


def start(out: Path, name: str, work_dir: Path) -> Any:
    """Begin a training in a process of its own, or go on with it.

    It is forked where there is no GPU, so that nothing is imported again.
    """
    method = 'spawn' if torch.cuda.is_available() else 'fork'
    context: Any = multiprocessing.get_context(method)
    process = context.Process(
        target=run, args=(str(out / (name + '.py')), str(work_dir))
    )
    process.start()
    return process


def run(config: str, work_dir: str) -> None:
    """Train, with a log beside the work dir, and end as tools/train.py."""
    with open(work_dir + '.log', 'ab') as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    train.main([config, '--work-dir', work_dir, '--resume'])


def soak_round(out: Path, number: int, rng: random.Random) -> Dict[str, Any]:
    """Train one student to its end, however often that takes."""
    work_dir = out / 'round{}'.format(number)
    shutil.rmtree(str(work_dir), ignore_errors=True)
    whole = json.loads((out / 'whole.json').read_text())['seconds']
    begin, watch, faults = time.monotonic(), Watch(), []  # type: ignore
    problem = ''
    while not problem:
        fault = rng.choice(FAULTS) if len(faults) < MAX_FAULTS else None
        if fault == 'full' and shutil.disk_usage(str(out)).total > SMALL:
            continue
        process = start(out, 'whole', work_dir)
        moment = rng.uniform(0.1, 1.0) * whole
        ended = attempt(process, fault, moment, out, watch)
        if fault and not ended:
            faults.append(fault)
        if process.exitcode not in ENDS[None if ended else fault]:
            problem = '{} after {}'.format(process.exitcode, fault)
        if process.exitcode == 0:
            break
        if fault == 'damage':
            damage(work_dir, rng)
    equal = not problem and same(last(work_dir), last(out / 'whole'))
    if equal:
        shutil.rmtree(str(work_dir))
    return {
        'round': number, 'ok': equal, 'faults': faults, 'problem': problem,
        'seconds': round(time.monotonic() - begin), **watch.summary(),
    }  # fmt: skip


def attempt(
    process: Any, fault: Optional[str], moment: float, out: Path, watch: Watch
) -> bool:
    """Wait for a process, and break it; return whether it ended before."""
    begin, ballast, struck = time.monotonic(), out / 'ballast', False
    try:
        while process.exitcode is None:
            watch.look(process.pid)
            if fault and not struck and time.monotonic() - begin > moment:
                struck = True
                strike(process.pid, fault, ballast)
            process.join(0.2)
    finally:
        if ballast.is_file():
            ballast.unlink()
    return not struck


def strike(pid: int, fault: str, ballast: Path) -> None:
    """Fill the disk, or send the signal that a fault begins with."""
    if fault == 'full':
        free = shutil.disk_usage(str(ballast.parent)).free
        with suppress(OSError):  # the training writes, too
            ballast.write_bytes(bytes(max(free - LEFT, 0)))
    else:
        os.kill(pid, signal.SIGTERM if fault == 'term' else signal.SIGKILL)


def damage(work_dir: Path, rng: random.Random) -> None:
    """Cut off or change the newest checkpoint, if it is not the only one."""
    files = sorted(checkpoints_of(work_dir), key=lambda p: p.stat().st_mtime)
    if len(files) < 2:
        return
    content = bytearray(files[-1].read_bytes())
    where = rng.randrange(len(content))
    if rng.random() < 0.5:
        files[-1].write_bytes(bytes(content[:where]))
    else:
        content[: where + 1] = bytes(where + 1)
        files[-1].write_bytes(bytes(content))


def last(work_dir: Path) -> Path:
    """Return the file that a training ends with."""
    return work_dir / 'epoch_{}.pth'.format(EPOCHS)


def same(one: Path, other: Path) -> bool:
    """Whether two files hold the same student and connectors."""
    files = [read_file(str(path)) for path in (one, other)]
    for states in (
        [file['state_dict'] for file in files],
        [file['mmmgd']['state_dict'] for file in files],
    ):
        if states[0].keys() != states[1].keys() or not all(
            torch.equal(value, states[1][key])
            for key, value in states[0].items()
        ):
            return False
    return True


if __name__ == '__main__':
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    sys.exit(main())
