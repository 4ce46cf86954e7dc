"""The grid of a study: task, method and seed."""

import difflib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

TEACHER = 'teacher'  # the name of the cell that trains it
SPLITS = ('test', 'validation')


@dataclass(frozen=True)
class Metric:
    """The number that is compared.

    Args:
        name: As the evaluator calls it.
        label: As a reader calls it.
        percent: What makes a percentage of it.
    """

    name: str
    label: str
    percent: float = 1.0


@dataclass(frozen=True)
class Method:
    """One way to train.

    Args:
        config: Its config; ``{task}`` stands for the name of the task.
        title: As a reader calls it.
        overrides: Values that replace the config's.
        sweep: For some keys of the config, the values to try one by one.
        seeds: Other seeds than the study's.
        checkpoint: Of what is trained for others: the file that they read.
        gate: Of a teacher: below it, its students are not trained.
        metric: Another number than the task's.
    """

    config: str
    title: str = ''
    overrides: Mapping[str, Any] = field(default_factory=dict)
    sweep: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    seeds: Sequence[int] | None = None
    checkpoint: str | None = None
    gate: float | None = None
    metric: Metric | None = None


@dataclass(frozen=True)
class Task:
    """One kind of data and of model.

    Args:
        title: As a reader calls it.
        metric: The number that is compared.
        data: Files and folders that the trainings read.
        overrides: Values that replace those of each method's config, and
            none of a teacher's.
        methods: Which methods to compare. None: all.
        prepare: What teachers and students start from, by name: trained
            before all, once, where its checkpoint is not there.
        teacher: Trained before its students, likewise.
    """

    title: str
    metric: Metric
    data: Sequence[str] = ()
    overrides: Mapping[str, Any] = field(default_factory=dict)
    methods: Sequence[str] | None = None
    prepare: Mapping[str, Method] = field(default_factory=dict)
    teacher: Method | None = None

    def before(self) -> Iterator[tuple[str, Method]]:
        """Return what is trained before the students, by name."""
        yield from self.prepare.items()
        if self.teacher is not None:
            yield TEACHER, self.teacher


@dataclass(frozen=True)
class Cell:
    """One training and its evaluation.

    ``point`` are the values of a sweep, by the last part of their key.
    """

    task: str
    method: str
    seed: int
    config: str
    overrides: Mapping[str, Any]
    point: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return its name, which is also its path below the study's."""
        point = [f'{key}={value}' for key, value in self.point.items()]
        return '/'.join([self.task, self.method, *point, f'seed-{self.seed}'])


@dataclass(frozen=True)
class Study:
    """A study file, read and checked.

    Args:
        question: What it is to answer.
        tasks: By name.
        methods: By name.
        seeds: Of each cell.
        baselines: Methods that the others are compared with.
        split: 'test' evaluates each final model by ``tools/test.py``;
            'validation' reads the last validation of the training, on images
            held out of the training data: for choosing hyper-parameters.
        tuning: Study files whose results chose this one's settings.
        lines_of: Study files, relative to this one, whose lines of the same
            tasks and methods count here, too.
        claims: Pairs of a method and a baseline: what was hoped for, said
            first, come true or not.
        pictures: Files that the report shows, with what is said of each.
    """

    file: Path
    question: str
    tasks: Mapping[str, Task]
    methods: Mapping[str, Method]
    seeds: Sequence[int]
    baselines: Sequence[str] = ()
    split: str = 'test'
    tuning: Sequence[str] = ()
    lines_of: Sequence[str] = ()
    claims: Sequence[Sequence[str]] = ()
    pictures: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the folder and the file, as in paper-setting/study."""
        return f'{self.file.resolve().parent.name}/{self.file.stem}'

    @property
    def lines(self) -> Path:
        """Return the file that results are appended to."""
        return self.file.with_suffix('.jsonl')

    def rounds(self) -> list[list[tuple[Cell, Path]]]:
        """Return what is trained before the students, and its files.

        Two rounds: what others start from, and the teachers. Tasks may share
        what has one file.
        """
        rounds: list[dict[Path, Cell]] = [{}, {}]
        for name, task in self.tasks.items():
            for method, entry in task.before():
                seed = (entry.seeds or self.seeds)[0]
                own = replace(task, overrides={})  # the students' alone
                (cell,) = _cells(name, own, method, entry, seed)
                assert entry.checkpoint is not None
                file = Path(entry.checkpoint.format(task=name))
                rounds[method == TEACHER].setdefault(file, cell)
        return [[(c, file) for file, c in one.items()] for one in rounds]

    def metric_of(self, cell: Cell) -> Metric:
        """Return the number that is read for a cell."""
        task = self.tasks[cell.task]
        entry = dict(task.before()).get(cell.method)
        return entry.metric if entry and entry.metric else task.metric

    def cells(self, failures: dict[str, str]) -> list[Cell]:
        """Return the students' cells, each seed whole before the next one.

        Args:
            failures: Receives what is wrong, by name; the rest goes on.
        """
        seeds = {s for m in self.methods.values() for s in m.seeds or ()}
        cells: list[Cell] = []
        for seed in sorted({*self.seeds, *seeds}):
            for name, task in self.tasks.items():
                for method in task.methods or self.methods:
                    if method not in self.methods:
                        failures[f'{name}/{method}'] = unknown(
                            'method', method, self.methods
                        )
                        continue
                    entry = self.methods[method]
                    if seed in (entry.seeds or self.seeds):
                        cells += _cells(name, task, method, entry, seed)
        return cells


def _cells(
    name: str, task: Task, method: str, entry: Method, seed: int
) -> Iterator[Cell]:
    """Return the cells of one method and seed: one, or one a sweep point."""
    for values in itertools.product(*entry.sweep.values()):
        swept = dict(zip(entry.sweep, values, strict=True))
        yield Cell(
            name,
            method,
            seed,
            entry.config.format(task=name),
            {**task.overrides, **entry.overrides, **swept},
            {key.rpartition('.')[2]: value for key, value in swept.items()},
        )


def unknown(kind: str, name: str, known: Sequence[str] | Mapping) -> str:
    """Return a sentence about a name that is not known, with close ones."""
    close = difflib.get_close_matches(name, list(known), n=1)
    hint = f'did you mean {close[0]!r}?' if close else f'known: {list(known)}'
    return f'unknown {kind} {name!r}; {hint}'
