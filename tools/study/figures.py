"""The figures of a study's report."""

import itertools
from collections.abc import Sequence

from matplotlib.axes import Axes
from scipy import stats

from mmmgd.report.figures import COLORS, draw

from .compare import LEVEL
from .curves import mean_curve
from .grid import TEACHER, Study
from .summary import is_number, row_title
from .table import Row, Table


def results(study: Study, table: Table) -> str:
    """Draw each seed, and the mean with its 95 % interval, for each row."""
    rows = [row for row in table.rows if row.method != TEACHER]

    def paint(axes: Axes) -> None:
        for y, (row, color) in enumerate(_colored(rows)):
            values = list(row.values.values())
            axes.plot(
                values, [y] * len(values), 'o', color=color, ms=4, alpha=0.45
            )
            error = _reach(values)
            axes.errorbar(
                row.spread.mean,
                y,
                xerr=error,
                fmt='D',
                color=color,
                ms=6,
                capsize=4,
            )
        axes.set_yticks(
            range(len(rows)), [row_title(study, table, r) for r in rows]
        )
        axes.invert_yaxis()
        axes.set_xlabel(study.tasks[table.task].metric.label)

    return draw(0.9 + 0.36 * len(rows), paint, f'results of {table.task}')


def curves(study: Study, table: Table) -> str:
    """Draw the validations during training, averaged over seeds.

    Returns:
        An empty text where there are none.
    """
    rows = [
        row
        for row in table.rows
        if row.method != TEACHER and not row.point and mean_curve(row)[0].size
    ]
    if not rows:
        return ''

    def paint(axes: Axes) -> None:
        for row, color in _colored(rows):
            steps, values = mean_curve(row)
            axes.plot(
                steps,
                values.mean(0),
                'o-',
                color=color,
                ms=3,
                label=row_title(study, table, row),
            )
        axes.set_xlabel('step')
        axes.set_ylabel(f'held out: {study.tasks[table.task].metric.label}')
        axes.legend(fontsize=8, frameon=False)

    return draw(3.6, paint, f'training curves of {table.task}')


def sweeps(study: Study, table: Table) -> list[str]:
    """Draw, for each key that was swept alone, the result over its values."""
    swept = [
        row
        for row in table.rows
        if len(row.point) == 1 and all(map(is_number, row.point.values()))
    ]
    keys = dict.fromkeys(next(iter(row.point)) for row in swept)
    return [
        _sweep(study, table, key, [r for r in swept if key in r.point])
        for key in keys
    ]


def _sweep(study: Study, table: Table, key: str, rows: Sequence[Row]) -> str:
    def paint(axes: Axes) -> None:
        methods = dict.fromkeys(row.method for row in rows)
        for method, color in zip(methods, itertools.cycle(COLORS[1:])):
            found = [row for row in rows if row.method == method]
            x = [float(row.point[key]) for row in found]
            y = [row.spread.mean for row in found]
            error = [_reach(list(row.values.values())) or 0 for row in found]
            axes.errorbar(
                x,
                y,
                yerr=error,
                fmt='o-',
                color=color,
                ms=4,
                capsize=3,
                label=study.methods[method].title,
            )
        values = [float(row.point[key]) for row in rows]
        if min(values) > 0 and max(values) >= 10 * min(values):
            axes.set_xscale('log')
        axes.set_xlabel(key)
        axes.set_ylabel(study.tasks[table.task].metric.label)
        axes.legend(fontsize=8, frameon=False)

    return draw(3.6, paint, f'{key} of {table.task}')


def _reach(values: Sequence[float]) -> float | None:
    """Return half of the 95 % interval of a mean."""
    if len(values) < 2:
        return None
    factor = stats.t.ppf((1 + LEVEL) / 2, len(values) - 1)
    return float(factor * stats.sem(values))


def _colored(rows: Sequence[Row]) -> list[tuple[Row, str]]:
    return list(zip(rows, itertools.cycle(COLORS), strict=False))
