"""What a study file asks for: a grid of task, method and seed."""

import difflib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

TEACHER = 'teacher'  # the method of the cell that trains it
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
        checkpoint: Of a teacher: the file that its students read.
    """

    config: str
    title: str = ''
    overrides: Mapping[str, Any] = field(default_factory=dict)
    sweep: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    seeds: Sequence[int] | None = None
    checkpoint: str | None = None


@dataclass(frozen=True)
class Task:
    """One kind of data and of model.

    Args:
        title: As a reader calls it.
        metric: The number that is compared.
        data: Files and folders that the trainings read.
        overrides: Values that replace those of each method's config.
        methods: Which methods to compare. None: all.
        teacher: Trained first, once, if its checkpoint is not there.
    """

    title: str
    metric: Metric
    data: Sequence[str] = ()
    overrides: Mapping[str, Any] = field(default_factory=dict)
    methods: Sequence[str] | None = None
    teacher: Method | None = None


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

    def teachers(self) -> Iterator[tuple[Cell, Path]]:
        """Return the cell of each teacher, and the file it is written to."""
        for name, task in self.tasks.items():
            if task.teacher is not None:
                seeds = task.teacher.seeds or self.seeds[:1]
                cells = _cells(name, task, TEACHER, task.teacher, seeds[0])
                assert task.teacher.checkpoint is not None
                yield next(cells), Path(task.teacher.checkpoint)

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


def read_study(path: str | Path) -> Study:
    """Read a study file.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is no study, with what was expected.
    """
    file = Path(path)
    try:
        content = yaml.safe_load(file.read_text(encoding='utf-8'))
        given = dict(content)
        shared = {k: given.pop(k) for k in ('data', 'teacher') if k in given}
        metric = given.pop('metric', None)
        tasks = {
            name: _task({'metric': metric, **shared, **(entry or {})})
            for name, entry in given.pop('tasks').items()
        }
        methods = {
            name: _method({'title': name, **entry})
            for name, entry in given.pop('methods').items()
        }
        seeds = given.pop('seeds')
        seeds = range(seeds) if isinstance(seeds, int) else seeds
        study = _build(
            Study,
            dict(given, file=file, tasks=tasks, methods=methods, seeds=seeds),
        )
        _check(study)
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f'{file} is no study: expected a mapping with question, metric, '
            f'tasks, methods and seeds, each as docs/studies/README.md says; '
            f'{type(error).__name__}: {error}'
        ) from error
    return study


def _check(study: Study) -> None:
    """Refuse what no cell could do without."""
    for name in study.baselines:
        if name not in study.methods:
            raise ValueError(unknown('baseline', name, study.methods))
    for method, baseline in study.claims:
        if method not in study.methods:
            raise ValueError(unknown('method', method, study.methods))
        if baseline not in study.baselines:
            raise ValueError(unknown('baseline', baseline, study.baselines))
    if study.split not in SPLITS:
        raise ValueError(unknown('split', study.split, SPLITS))
    for task in study.tasks.values():
        if task.teacher and not task.teacher.checkpoint:
            raise ValueError(
                'a teacher needs a `checkpoint`: the file that it is written '
                'to, and that the configs of its students name'
            )


def unknown(kind: str, name: str, known: Sequence[str] | Mapping) -> str:
    """Return a sentence about a name that is not known, with close ones."""
    close = difflib.get_close_matches(name, list(known), n=1)
    hint = f'did you mean {close[0]!r}?' if close else f'known: {list(known)}'
    return f'unknown {kind} {name!r}; {hint}'


def _task(entry: dict) -> Task:
    teacher = entry.pop('teacher', None)
    return _build(
        Task,
        {
            'title': '',
            **entry,
            'metric': _build(Metric, entry['metric']),
            'overrides': _numbers(entry.get('overrides', {})),
            'teacher': teacher and _method({'title': 'teacher', **teacher}),
        },
    )


def _method(entry: dict) -> Method:
    return _build(
        Method,
        {
            **entry,
            'overrides': _numbers(entry.get('overrides', {})),
            'sweep': {
                key: [_number(value) for value in values]
                for key, values in entry.get('sweep', {}).items()
            },
        },
    )


def _build(kind: type, entry: Mapping[str, Any]) -> Any:
    """Build a dataclass, refusing keys that it does not have."""
    known = kind.__dataclass_fields__  # type: ignore[attr-defined]
    for key in entry:
        if key not in known:
            raise ValueError(unknown('key', key, list(known)))
    return kind(**entry)


def _numbers(entries: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _number(value) for key, value in entries.items()}


def _number(value: Any) -> Any:
    """Read 1e-3, which YAML takes for text."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
