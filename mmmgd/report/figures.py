"""Figures of a report: SVG whose colours follow the page's."""

import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Stand for the page's variables; no series has these colours.
INK, FAINT = '#010203', '#040506'
VARIABLES = {INK: 'var(--ink)', FAINT: 'var(--faint)'}
# Okabe and Ito's, told apart by colour-blind readers, on light and on dark.
PALETTE = '#8a8a8a #e69f00 #a8871f #009e73 #1f78b4 #56b4e9 #d55e00 #cc79a7'
COLORS = tuple(PALETTE.split())
WIDTH = 5.2  # inches: legible as wide as a phone
STYLE: Any = {
    'svg.fonttype': 'none',
    'font.family': 'sans-serif',
    'font.size': 10,
    'text.color': INK,
    'axes.edgecolor': FAINT,
    'axes.labelcolor': INK,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'xtick.color': INK,
    'ytick.color': INK,
    'grid.color': FAINT,
    'grid.alpha': 0.4,
}


def draw(height: float, paint: Callable[[Axes], None], name: str) -> str:
    """Return one figure as SVG.

    Args:
        height: In inches.
        paint: Draws into the axes.
        name: Told to those who cannot see it, and unique on the page.
    """
    with mpl.rc_context({**STYLE, 'svg.hashsalt': name}):
        figure = Figure((WIDTH, height), layout='constrained')
        axes = figure.add_subplot()
        axes.grid(True, linewidth=0.5)
        paint(axes)
        file = io.StringIO()
        figure.savefig(
            file, format='svg', transparent=True, metadata={'Date': None}
        )
    svg = file.getvalue()
    svg = svg[svg.index('<svg') :]
    for color, variable in VARIABLES.items():
        svg = svg.replace(color, variable)
    # Each figure counts its parts from one.
    own = re.sub(r'\W', '-', name)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf'\g<1>{own}-', svg)
    return svg.replace('<svg', f'<svg role="img" aria-label="{name}"', 1)
