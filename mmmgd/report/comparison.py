"""Compare trainings: what was gained, and on which classes."""

from collections.abc import Sequence

from mmmgd.config import close_names

from .run_log import Curve, RunLog
from .run_roles import DISTILLED, STUDENT, TEACHER

BARS = '▁▂▃▄▅▆▇█'


def metric_of(runs: Sequence[RunLog], named: str | None = None) -> str:
    """Choose the metric to compare: the one named, else the best file's.

    Args:
        runs: The runs.
        named: What the user asks for.

    Raises:
        ValueError: If the runs have no such metric, or none in common.
    """
    common = [
        name
        for name in runs[0].curves
        if all(name in run.curves for run in runs)
    ]
    if named and named not in common:
        close = close_names(named, common) or common
        raise ValueError(
            f'Expected a metric that all runs have, but got {named!r}. '
            f'They have: {", ".join(close) or "none in common"}.'
        )
    if not common:
        found = '; '.join(
            f'{run.folder}: {", ".join(run.curves) or "no validation"}'
            for run in runs
        )
        raise ValueError(
            f'Expected a validation metric that all runs have, but found '
            f'{found}.'
        )
    if named:
        return named
    saved = [_saved_best(run) for run in runs]
    return next((name for name in saved if name in common), common[0])


def _saved_best(run: RunLog) -> str | None:
    hooks = (run.cfg or {}).get('default_hooks') or {}
    best = (hooks.get('checkpoint') or {}).get('save_best')
    return best if isinstance(best, str) else None


def best(curve: Curve, lower: bool = False) -> tuple[int, float]:
    """Return step and value of the best validation."""
    choose = min if lower else max
    return choose(curve, key=lambda point: point[1])


def verdict(
    runs: Sequence[RunLog],
    roles: Sequence[str],
    metric: str,
    lower: bool = False,
) -> list[str]:
    """Say what follows, a teacher below a student first.

    Args:
        runs: The runs.
        roles: What each run is.
        metric: What is compared, by its best validation.
        lower: Whether less is better.
    """
    sign = -1 if lower else 1
    value = [best(run.curves[metric], lower)[1] for run in runs]

    def text(i: int) -> str:
        return f'{runs[i].name} {value[i]:.4g}'

    said = []
    of = {
        role: [i for i, r in enumerate(roles) if r == role] for role in roles
    }
    students = of.get(STUDENT) or of.get(DISTILLED, [])
    for t in of.get(TEACHER, []):
        below = [s for s in students if sign * (value[s] - value[t]) > 0]
        if below:
            above = ', '.join(map(text, below))
            said.append(
                f'The teacher is below the student: {text(t)} against '
                f'{above} ({metric}). Take a better teacher first.'
            )
    for d in of.get(DISTILLED, []):
        for s in of.get(STUDENT, []):
            gain = value[d] - value[s]
            than = f'{abs(gain):.4g} {"above" if gain > 0 else "below"}'
            said.append(
                f'{text(d)} is {than if gain else "equal to"} the student '
                f'alone, {text(s)} ({metric}). One run each: other seeds '
                'differ, too.'
            )
    return said


def rows(
    runs: Sequence[RunLog],
    roles: Sequence[str],
    metric: str,
    lower: bool = False,
) -> list[list[str]]:
    """Return the table of the runs as text, its head first."""
    base = next((i for i, r in enumerate(roles) if r == STUDENT), 0)
    start = best(runs[base].curves[metric], lower)[1]
    table = [
        ['run', 'role', f'{metric}, best', 'at step', 'last', 'difference',
         'distill/task', 'minutes', 'curve'],
    ]  # fmt: skip
    values = [v for run in runs for _, v in run.curves[metric]]
    for i, (run, role) in enumerate(zip(runs, roles, strict=True)):
        curve = run.curves[metric]
        step, value = best(curve, lower)
        table.append(
            [
                run.name,
                role,
                f'{value:.4g}',
                str(step),
                f'{curve[-1][1]:.4g}',
                '' if i == base else f'{value - start:+.4g}',
                f'{run.ratio[-1][1]:.3g}' if run.ratio else '',
                f'{run.seconds / 60:.1f}',
                sparkline([v for _, v in curve], min(values), max(values)),
            ]
        )
    return table


def sparkline(
    values: Sequence[float], low: float, high: float, width: int = 16
) -> str:
    """Return a curve as bars, one a character."""
    every = -(-len(values) // width)
    shown = values[::-1][::every][::-1]  # the last one always
    span = (high - low) or 1.0
    return ''.join(
        BARS[round((v - low) / span * (len(BARS) - 1))] for v in shown
    )


def class_rows(
    runs: Sequence[RunLog], roles: Sequence[str]
) -> dict[str, list[list[str]]]:
    """Return, of each metric by class, a table; the largest gain first.

    The difference is that of the distilled run, else of the last one, to the
    student alone, else to the first one.
    """
    tables = {}
    for metric in dict.fromkeys(m for run in runs for m in run.classes):
        having = [
            (run, role)
            for run, role in zip(runs, roles, strict=True)
            if metric in run.classes
        ]
        if len(having) < 2:
            continue
        found = [run.classes[metric] for run, _ in having]
        names = [role for _, role in having]
        base = names.index(STUDENT) if STUDENT in names else 0
        last = names.index(DISTILLED) if DISTILLED in names else -1
        gains = {
            name: found[last][name] - found[base][name]
            for name in found[base]
            if all(name in one for one in found)
        }
        head = [metric, *(run.name for run, _ in having), 'difference']
        tables[metric] = [head] + [
            [name, *(f'{one[name]:.4g}' for one in found), f'{gain:+.4g}']
            for name, gain in sorted(gains.items(), key=lambda x: -x[1])
        ]
    return tables
