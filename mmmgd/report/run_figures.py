"""Curves of trainings."""

import itertools
from collections.abc import Mapping

from matplotlib.axes import Axes

from .figures import COLORS, draw
from .run_log import Curve


def curves(lines: Mapping[str, Curve], label: str) -> str:
    """Draw values over training steps, a line a run, as SVG.

    Args:
        lines: The curve of each run, by its name.
        label: What the values are; unique on the page.
    """

    def paint(axes: Axes) -> None:
        for (name, curve), color in zip(
            lines.items(), itertools.cycle(COLORS[1:]), strict=False
        ):
            steps, values = zip(*curve, strict=True)
            axes.plot(steps, values, 'o-', color=color, ms=3, label=name)
        axes.set_xlabel('training step')
        axes.set_ylabel(label)
        axes.legend(fontsize=8, frameon=False)

    return draw(3.6, paint, label)
