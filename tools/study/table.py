"""The tables of a study, from its lines alone."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .compare import Difference, Spread, holm, paired, spread
from .grid import TEACHER, Study
from .lines import Line

VERSION = ('code', 'data', 'torch')  # rows of other versions are apart


@dataclass
class Row:
    """One method, at one point of its sweep, with one set of settings.

    Args:
        method: Its name.
        point: The values of its sweep.
        settings: Digests of its config, and of what it starts or learns from.
        lines: One a seed.
    """

    method: str
    point: dict[str, Any]
    settings: tuple
    lines: dict[int, Line] = field(default_factory=dict)
    differences: dict[str, Difference | None] = field(default_factory=dict)
    corrected: dict[str, float | None] = field(default_factory=dict)

    @property
    def values(self) -> dict[int, float]:
        """Return its results by seed."""
        return {seed: line['value'] for seed, line in self.lines.items()}

    @property
    def spread(self) -> Spread:
        """Return mean and standard deviation."""
        return spread(list(self.values.values()))


@dataclass
class Table:
    """One task, at one version of code, data and torch."""

    task: str
    version: tuple
    rows: list[Row]

    def of(self, method: str) -> list[Row]:
        """Return the rows of a method."""
        return [row for row in self.rows if row.method == method]


def tables(study: Study, lines: Iterable[Line]) -> list[Table]:
    """Sort lines into tables, and compare with the study's baselines.

    P values are corrected over all comparisons of the study.
    """
    found: dict[tuple, dict[tuple, Row]] = {}
    for line in lines:
        task = study.tasks.get(line['task'])
        if task is not None and line['metric'] == task.metric.name:
            rows = found.setdefault((line['task'], version(line)), {})
            _add(rows, line)
    order = {name: i for i, name in enumerate([TEACHER, *study.methods])}

    def place(row: Row) -> int:
        return order.get(row.method, len(order))

    # Of a sweep, as its lines came.
    result = [
        Table(task, of, sorted(rows.values(), key=place))
        for (task, of), rows in found.items()
    ]
    names = list(study.tasks)
    result.sort(key=lambda one: (names.index(one.task), -_size(one)))
    _compare(result, study.baselines)
    return result


def version(line: Line) -> tuple:
    """Return what must agree in lines that are averaged or compared."""
    torch = line.get('versions', {}).get('torch')
    return (line['code'], line.get('data'), torch)


def _add(rows: dict[tuple, Row], line: Line) -> None:
    """Put a line into its row; of two with one seed, the first counts."""
    point = line.get('point') or {}
    settings = (line['settings'], line.get('teacher'))
    key = (line['method'], json.dumps(point, sort_keys=True), settings)
    row = rows.setdefault(key, Row(line['method'], point, settings))
    row.lines.setdefault(line['seed'], line)


def _size(table: Table) -> int:
    return sum(len(row.lines) for row in table.rows)


def _compare(tables: Sequence[Table], baselines: Sequence[str]) -> None:
    """Compare each row with the baselines of its table, where there is one."""
    made: list[tuple[Row, str, float | None]] = []
    for table in tables:
        for rank, name in enumerate(baselines):
            base = table.of(name)
            # No row with itself, and none of the pairs twice.
            apart = {TEACHER, *baselines[: rank + 1]}
            for row in table.rows if len(base) == 1 else []:
                if row.method not in apart:
                    found = paired(row.values, base[0].values)
                    row.differences[name] = found
                    made.append((row, name, found.p if found else None))
    corrected = holm([p for _, _, p in made])
    for (row, name, _), p in zip(made, corrected, strict=True):
        row.corrected[name] = p


def comparisons(tables: Sequence[Table]) -> int:
    """Return over how many p values the correction went."""
    return sum(
        p is not None
        for table in tables
        for row in table.rows
        for p in row.corrected.values()
    )
