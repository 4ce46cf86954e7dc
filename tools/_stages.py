"""Runs processes in the order of their needs, a few at a time."""

import ctypes
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

TAIL = 15  # lines of a log that are shown when its process fails


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
    """A stage that has begun; its times are final once it has ended."""

    stage: Stage
    process: Any
    device: str | None = None
    begin: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def __str__(self) -> str:
        """Return how far it is."""
        seconds = clock(time.monotonic() - self.begin)
        return f'{self.stage.title} {progress(self.stage.log)} {seconds}'

    def has_ended(self) -> bool:
        """Whether the process has ended; then its times are recorded."""
        before = _cpu_of_children()
        if self.process.poll() is None:
            return False
        # Of this process and its own children: no other has been asked since.
        self.cpu_seconds = _cpu_of_children() - before
        self.seconds = time.monotonic() - self.begin
        return True

    def tail(self) -> list[str]:
        """Return the end of its log."""
        text = self.stage.log.read_text(encoding='utf-8', errors='replace')
        return text.splitlines()[-TAIL:]


def run_all(
    stages: Sequence[Stage],
    jobs: int,
    folder: Path,
    ended: Callable[[Running], None] = lambda one: None,
    failed: Callable[[Running, Sequence[Stage]], None] | None = None,
    devices: Sequence[str] = (),
    note: Callable[[], str] = lambda: '',
) -> None:
    """Run all stages in an order that fits their needs.

    Each process computes with one thread, so that its result does not depend
    on how many cores there are, or are busy. None outlives this one.

    Args:
        stages: What to run; of those that could begin, the first one does.
        jobs: How many run side by side.
        folder: Where they run.
        ended: Called with each stage that has succeeded.
        failed: Called with each stage that has failed, and with those that
            need it and are left out for that; the others go on.
        devices: GPUs, by the names that CUDA_VISIBLE_DEVICES knows: each
            process gets one of its own. Empty: as the environment says.
        note: What is said beside the progress, for example the time left.

    Raises:
        SystemExit: If one fails and there is no ``failed``, with the end of
            its log. The others are stopped.
    """
    waiting = list(stages)
    running: list[Running] = []
    free: list[str | None] = [*devices] or [None] * jobs
    done: set[str] = set()
    with Screen(len(stages)) as screen:
        try:
            while waiting or running:
                ready = [s for s in waiting if done.issuperset(s.needs)]
                assert ready or running, [s.title for s in waiting]
                for stage in ready[: min(jobs - len(running), len(free))]:
                    waiting.remove(stage)
                    running.append(_start(stage, folder, free.pop(0)))
                time.sleep(0.2)
                for one in [r for r in running if r.has_ended()]:
                    running.remove(one)
                    free.append(one.device)
                    if one.process.returncode == 0:
                        done.add(one.stage.title)
                        ended(one)
                    else:
                        _give_up(one, waiting, failed)
                    screen.ended(one, note())
                screen.show(running, len(waiting), note())
        finally:
            for one in running:
                one.process.terminate()
            for one in running:
                one.process.wait()


class Screen:
    """Says what runs, in one line that changes, where there is a terminal.

    Args:
        total: How many stages there are.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.console = Console(highlight=False, soft_wrap=True)
        self.bar = Progress(
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn('{task.description}'),
            console=self.console,
            auto_refresh=False,  # no thread of its own, for we fork
            transient=True,
        )
        self.task = self.bar.add_task('', total=total)
        self.count = 0

    def __enter__(self) -> 'Screen':
        if self.console.is_terminal:
            self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def ended(self, one: Running, note: str) -> None:
        """Print one line for a stage that has ended."""
        self.count += 1
        word = '' if one.process.returncode == 0 else ' failed'
        line = f'[{self.count}/{self.total}] {one.stage.title}{word}'
        self.console.print(
            f'{line}  {clock(one.seconds)}  {note}', markup=False
        )

    def show(
        self, running: Sequence[Running], waiting: int, note: str
    ) -> None:
        """Refresh the line that changes."""
        if self.console.is_terminal:
            text = ' | '.join([*map(str, running), note])
            done = self.total - waiting - len(running)
            self.bar.update(self.task, completed=done, description=text)
            self.bar.refresh()


def progress(log: Path) -> str:
    """Return the last 'epoch x' or 'iter x' that a log tells of."""
    text = log.read_text(encoding='utf-8', errors='replace')[-4000:]
    found = re.findall(r'(Epoch|Iter)\(train\)\s*\[\s*(\d+)[\]/]', text)
    return f'{found[-1][0].lower()} {found[-1][1]}' if found else 'starting'


def clock(seconds: float) -> str:
    """Return seconds as minutes and seconds, or as hours and minutes."""
    minutes = int(seconds) // 60
    if minutes >= 100:
        return f'{minutes // 60} h {minutes % 60:02} min'
    return f'{minutes}:{int(seconds) % 60:02}'


def _start(stage: Stage, folder: Path, device: str | None) -> Running:
    stage.log.parent.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, 'OMP_NUM_THREADS': '1'}
    if device is not None:
        env['CUDA_VISIBLE_DEVICES'] = device
    with stage.log.open('w', encoding='utf-8') as log:
        process = subprocess.Popen(
            [sys.executable, *stage.command],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=env,
            preexec_fn=_die_with_parent if sys.platform == 'linux' else None,
        )
    return Running(stage, process, device)


def _die_with_parent() -> None:
    """Ask Linux to kill this process when the one that started it dies."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def _give_up(
    one: Running,
    waiting: list[Stage],
    failed: Callable[[Running, Sequence[Stage]], None] | None,
) -> None:
    """Leave out what needs a stage that has failed, or stop."""
    if failed is None:
        raise SystemExit(
            '\n'.join(
                [
                    f'\n{one.stage.title} failed:',
                    *one.tail(),
                    f'Log: {one.stage.log}',
                ]
            )
        )
    lost: list[Stage] = []
    titles = {one.stage.title}
    while more := [s for s in waiting if titles & set(s.needs)]:
        lost += more
        titles |= {s.title for s in more}
        for stage in more:
            waiting.remove(stage)
    failed(one, lost)


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
