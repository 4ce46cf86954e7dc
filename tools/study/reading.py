"""Read and check a study file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from .grid import SPLITS, Method, Metric, Study, Task, unknown

SHARED = ('data', 'prepare', 'teacher')  # of all tasks, unless they differ


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
        shared = {k: given.pop(k) for k in SHARED if k in given}
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
    """Refuse a study without the keys that every cell needs."""
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
        for method, entry in task.before():
            if not entry.checkpoint:
                raise ValueError(
                    f'{method} needs a `checkpoint`: the file that it is '
                    'written to, and that the configs of others name'
                )


def _task(entry: dict) -> Task:
    teacher, prepare = entry.pop('teacher', None), entry.pop('prepare', {})
    return _build(
        Task,
        {
            'title': '',
            **entry,
            'metric': _build(Metric, entry['metric']),
            'overrides': _numbers(entry.get('overrides', {})),
            'prepare': {
                name: _method({'title': name, **one})
                for name, one in prepare.items()
            },
            'teacher': teacher and _method({'title': 'teacher', **teacher}),
        },
    )


def _method(entry: dict) -> Method:
    metric = entry.get('metric')
    return _build(
        Method,
        {
            **entry,
            'metric': metric and _build(Metric, metric),
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
