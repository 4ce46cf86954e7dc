"""Average the curves of several seeds."""

from collections.abc import Sequence

import numpy as np

from .table import Row


def mean_curve(row: Row) -> tuple[np.ndarray, np.ndarray]:
    """Return steps, and the values of all seeds at them.

    Returns:
        Steps with shape (n,), values with shape (seeds, n): of the steps that
        all seeds have. Those at step 0 are left out: older lines hold
        validations without their step.
    """
    curves = [
        {
            step: value
            for step, value in zip(
                line['curve']['step'], line['curve']['value'], strict=True
            )
            if step > 0
        }
        for line in row.lines.values()
        if line.get('curve')
    ]
    steps = sorted(set.intersection(*map(set, curves))) if curves else []
    values = [[curve[step] for step in steps] for curve in curves]
    return np.array(steps), np.array(values).reshape(len(curves), len(steps))


def steps_to(
    steps: Sequence[float], values: Sequence[float], target: float
) -> float | None:
    """Return after how many steps a curve reaches a value.

    Between two validations it is taken to go straight.

    Returns:
        None if it never does.
    """
    for i, value in enumerate(values):
        if value >= target:
            if i == 0:
                return float(steps[0])
            share = (target - values[i - 1]) / (value - values[i - 1])
            return float(steps[i - 1] + share * (steps[i] - steps[i - 1]))
    return None


def minutes_of(row: Row) -> float | None:
    """Return the mean CPU minutes of its trainings that ran in one go."""
    found = [
        line['cpu_seconds'] / 60
        for line in row.lines.values()
        if line.get('cpu_seconds') and not line.get('resumed')
    ]
    return float(np.mean(found)) if found else None
