"""Runs processes that need each other, a few at a time, and tells of them."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Stage:
    """One process: what to say of it, its command, where its log goes.

    ``needs`` are the titles of stages that must have ended before.
    """

    title: str
    command: Sequence[str]
    log: Path
    needs: Sequence[str] = ()


@dataclass
class Running:
    """A stage that has begun."""

    stage: Stage
    process: Any
    begin: float

    def __str__(self) -> str:
        """Return how far it is."""
        seconds = clock(time.monotonic() - self.begin)
        return f'{self.stage.title} {progress(self.stage.log)} {seconds}'


def run_all(
    stages: Sequence[Stage],
    jobs: int,
    folder: Path,
    ended: Callable[[Stage], None] = lambda stage: None,
) -> None:
    """Run all stages in an order that fits their needs.

    Each process computes with one thread, so that its result does not depend
    on how many cores there are, or are busy.

    Args:
        stages: What to run; of those that could begin, the first one does.
        jobs: How many run side by side.
        folder: Where they run.
        ended: Called with each stage that has succeeded.

    Raises:
        SystemExit: If one fails, with the end of its log. The others are
            stopped.
    """
    waiting = list(stages)
    running: list[Running] = []
    done: set[str] = set()
    try:
        while waiting or running:
            ready = [s for s in waiting if done.issuperset(s.needs)]
            assert ready or running, [s.title for s in waiting]
            for stage in ready[: jobs - len(running)]:
                waiting.remove(stage)
                running.append(_start(stage, folder))
            time.sleep(0.2)
            for one in [r for r in running if r.process.poll() is not None]:
                running.remove(one)
                _check(one)
                done.add(one.stage.title)
                ended(one.stage)
                seconds = clock(time.monotonic() - one.begin)
                head = f'[{len(done)}/{len(stages)}]'
                show(f'{head} {one.stage.title}  {seconds}')
            show(f'running: {" | ".join(map(str, running))}', end='\r')
    finally:
        for one in running:
            one.process.terminate()
        for one in running:
            one.process.wait()


def progress(log: Path) -> str:
    """Return the last 'epoch x' or 'iter x' that a log tells of."""
    text = log.read_text(encoding='utf-8', errors='replace')[-4000:]
    found = re.findall(r'(Epoch|Iter)\(train\)\s*\[\s*(\d+)[\]/]', text)
    return f'{found[-1][0].lower()} {found[-1][1]}' if found else 'starting'


def clock(seconds: float) -> str:
    """Return seconds as minutes and seconds."""
    return f'{int(seconds) // 60}:{int(seconds) % 60:02}'


def show(line: str, end: str = '\n') -> None:
    """Print a line; one that will change is only for a terminal."""
    terminal = sys.stdout.isatty()
    if end == '\n' or terminal:
        clear = '\r\x1b[K' if terminal else ''
        print(f'{clear}{line}', end='' if end == '\r' else end, flush=True)


def _start(stage: Stage, folder: Path) -> Running:
    stage.log.parent.mkdir(parents=True, exist_ok=True)
    with stage.log.open('w', encoding='utf-8') as log:
        process = subprocess.Popen(
            [sys.executable, *stage.command],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, 'OMP_NUM_THREADS': '1'},
        )
    return Running(stage, process, time.monotonic())


def _check(one: Running) -> None:
    if one.process.returncode:
        log = one.stage.log
        tail = log.read_text(encoding='utf-8').splitlines()[-15:]
        raise SystemExit(
            '\n'.join([f'\n{one.stage.title} failed:', *tail, f'Log: {log}'])
        )
