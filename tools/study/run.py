"""The command line of a study.

    python tools/study.py docs/studies/paper-setting/study.yaml --jobs 2
    python tools/study.py docs/studies/paper-setting/study.yaml --summary

Each finished cell is one json line beside the study file. Killed at any moment
and started again, on this machine or another, it goes on where it was.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from _stages import Running, Stage, clock, run_all

from mmmgd.checkpoints.atomic import write

from . import identity, lines
from .cells import TESTING, Plan
from .embed import embed
from .grid import TEACHER, Cell, Study, unknown
from .page import page
from .reading import read_study
from .summary import summarize

# Validations are logged by epoch, which is 0 in a loop by iteration.
BY_EPOCH = 'default_hooks.logger.log_metric_by_epoch'


def main(argv: Sequence[str] | None = None) -> None:
    """Run what is missing; the exit status is 1 if a cell failed."""
    args = parse(argv)
    try:
        study = read_study(args.study)
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from None
    failures: dict[str, str] = {}
    if not args.summary:
        lock = Path('work_dirs/studies') / study.name / 'lock'
        with lines.locked(lock):
            failures = Run(study, args).all()
    text = summarize(study, failures)
    write(study.file.with_suffix('.md'), text.encode())
    write(study.file.with_suffix('.html'), page(study, failures).encode())
    for name in args.into:
        document = Path(name)
        embedded = embed(document.read_text('utf-8'), Path.cwd())
        write(document, embedded.encode())
    print(text)
    report(failures)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(
        description='Runs a study: a grid of trainings, one line each.'
    )
    parser.add_argument('study', help='study file, .yaml')
    parser.add_argument(
        '--jobs',
        type=int,
        default=1,
        help='processes side by side, of one thread each; default: 1',
    )
    parser.add_argument(
        '--gpus',
        nargs='+',
        default=[],
        metavar='N',
        help='one process on each of these GPUs, instead of --jobs',
    )
    parser.add_argument(
        '--seeds', nargs='+', type=int, help='of the seeds, only these'
    )
    parser.add_argument(
        '--methods', nargs='+', help='of the methods, only these'
    )
    parser.add_argument('--tasks', nargs='+', help='of the tasks, only these')
    parser.add_argument(
        '--summary',
        action='store_true',
        help='train nothing; write the summary of the lines that are there',
    )
    parser.add_argument(
        '--into',
        nargs='+',
        default=[],
        metavar='FILE',
        help='documents whose tables of studies are brought up to date',
    )
    return parser.parse_args(argv)


class Run:
    """The cells of a study that have no line yet.

    Args:
        study: What to run.
        args: The command line.
    """

    def __init__(self, study: Study, args: argparse.Namespace) -> None:
        self.study = study
        self.args = args
        self.failures: dict[str, str] = {}
        self.plans: dict[str, Plan] = {}
        self.trainings: dict[str, Running] = {}
        self.seconds: list[float] = []
        self.there = lines.results(study)

    def all(self) -> dict[str, str]:
        """Train backbones and teachers, then the students.

        Returns:
            What failed, and why.
        """
        for one in self.study.rounds():
            for cell, file in one:
                self._add(cell, file)
            self._run()
        closed = self._closed()
        for cell in self._wanted():
            if cell.task in closed:
                self.failures[cell.task] = closed[cell.task]
            else:
                self._add(cell)
        self._run()
        return self.failures

    def _closed(self) -> dict[str, str]:
        """Return the tasks whose teacher is not good enough, with why."""
        values = {
            line['task']: line['value']
            for line in lines.results(self.study)
            if line['method'] == TEACHER
        }
        closed = {}
        for name, task in self.study.tasks.items():
            gate = task.teacher.gate if task.teacher else None
            if gate is not None and values.get(name, 0) < gate:
                closed[name] = (
                    f'its teacher reached {values.get(name, 0):.2f}, less '
                    f'than its gate of {gate:g}: no student is trained'
                )
        return closed

    def _wanted(self) -> list[Cell]:
        wanted = self.study.cells(self.failures)
        for name in ('seed', 'method', 'task'):
            chosen = getattr(self.args, f'{name}s')
            known = {getattr(cell, name) for cell in wanted}
            for value in chosen or []:
                if value not in known:
                    sentence = unknown(name, str(value), [*map(str, known)])
                    self.failures[f'--{name}s {value}'] = sentence
            if chosen is not None:
                wanted = [c for c in wanted if getattr(c, name) in chosen]
        return wanted

    def _add(self, cell: Cell, export: Path | None = None) -> None:
        """Plan a cell, unless its line is there already."""
        try:
            cfg, settings = identity.settings(cell)
            digests = {
                'settings': settings,
                'code': identity.code(),
                'data': identity.data(tuple(self.study.tasks[cell.task].data)),
                'teacher': identity.weights(cfg),
            }
        except Exception as error:  # a config can fail in any way
            self.failures[cell.name] = f'{type(error).__name__}: {error}'
            return
        has_logger = 'logger' in cfg.get('default_hooks', {})
        logging = {BY_EPOCH: False} if has_logger else {}
        plan = Plan(self.study, cell, digests, export, logging)
        there = (
            any(_is_of(cell, line) for line in self.there)
            if plan.is_given  # a teacher may come with the study
            else plan.key in {identity.key(line) for line in self.there}
        )
        if not there:
            self.plans[cell.name] = plan

    def _run(self) -> None:
        """Run what is planned."""
        self.seconds.clear()
        stages = [s for plan in self.plans.values() for s in plan.stages]
        run_all(
            stages,
            len(self.args.gpus) or self.args.jobs,
            Path.cwd(),
            self._ended,
            self._failed,
            self.args.gpus,
            self._left,
        )
        self.plans.clear()

    def _ended(self, one: Running) -> None:
        """Record a finished process; after the last one, write the line."""
        name = one.stage.title.removesuffix(TESTING)
        plan = self.plans[name]
        if name == one.stage.title:
            plan.trained()
            self.trainings[name] = one
        if one.stage is not plan.last:
            return
        try:
            line = plan.line(self.trainings.pop(name, None))
        except (OSError, ValueError, KeyError, IndexError) as error:
            self.failures[name] = f'no result: {type(error).__name__} {error}'
            return
        lines.append(self.study.lines, line)
        self.seconds.append(one.seconds + (line['seconds'] or 0))

    def _failed(self, one: Running, lost: Sequence[Stage]) -> None:
        name = one.stage.title.removesuffix(TESTING)
        said = [text for text in one.tail() if text.strip()] or ['nothing']
        self.failures[name] = f'{said[-1]} (log: {one.stage.log})'

    def _left(self) -> str:
        """Say how much time is left, by the mean of the finished cells."""
        rest = len(self.plans) - len(self.seconds)
        if not self.seconds or rest < 1:
            return ''
        mean = sum(self.seconds) / len(self.seconds)
        jobs = len(self.args.gpus) or self.args.jobs
        return f'about {clock(rest * mean / jobs)} left'


def _is_of(cell: Cell, line: lines.Line) -> bool:
    return (line['task'], line['method']) == (cell.task, cell.method)


def report(failures: dict[str, str]) -> None:
    """Name what failed, and end with status 1 if anything did."""
    for name, reason in failures.items():
        print(f'failed: {name}: {reason}')
    if failures:
        raise SystemExit(1)
