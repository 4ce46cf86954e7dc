"""The report of a study: one HTML file that needs nothing else."""

import mimetypes
from collections.abc import Mapping, Sequence
from html import escape

from mmmgd.report import html

from . import figures
from .curves import mean_curve, minutes_of, steps_to
from .grid import TEACHER, Study
from .lines import results
from .summary import (
    cells,
    notes,
    provenance,
    row_title,
    state,
    verdicts,
    version_note,
)
from .table import Table, tables


def page(study: Study, failures: Mapping[str, str]) -> str:
    """Return the whole page.

    Args:
        study: Its lines are read from beside the study file.
        failures: Cells that failed in this run, with the reason.
    """
    lines = results(study)
    found = tables(study, lines)
    said = ''.join(
        f'<li>{_bold(text)}</li>' for text in verdicts(study, found)
    )
    parts = [
        f'<h1>{escape(study.name)}</h1>',
        f'<p>{escape(study.question.strip())}</p>',
        f'<ul class="verdicts">{"".join(said)}</ul>' if said else '',
        f'<p>{escape(state(study, lines, {}))}</p>',
        *(
            f'<p class="failed">failed: {escape(name)}: {escape(reason)}</p>'
            for name, reason in failures.items()
        ),
        *(_section(study, table, found) for table in found),
        *(
            f'<p class="small">{escape(t)}</p>'
            for t in notes(study, lines, found)
        ),
        _pictures(study),
    ]
    return html.document(study.name, parts)


def _section(study: Study, table: Table, others: Sequence[Table]) -> str:
    drawn = {
        'Each seed, the mean, and its 95 % interval.': figures.results(
            study, table
        ),
        'Accuracy on held-out training images during training, mean over '
        'seeds.': figures.curves(study, table),
    }
    for number, svg in enumerate(figures.sweeps(study, table)):
        drawn[f'Sweep {number + 1}, with 95 % intervals.'] = svg
    boxes = ''.join(
        html.figure(svg, text) for text, svg in drawn.items() if svg
    )
    title = study.tasks[table.task].title or table.task
    return (
        f'<h2>{escape(title)}</h2>\n'
        f'<p>{escape(version_note(table, others))}</p>\n'
        f'{html.table(cells(study, table))}\n'
        f'<div class="figures">{boxes}</div>\n'
        f'{_time(study, table)}\n'
        f'<p class="small">{escape(provenance(table))}</p>'
    )


def _time(study: Study, table: Table) -> str:
    """Return the steps each method needs for the baseline's final result."""
    base = next((r for n in study.baselines for r in table.of(n)), None)
    if base is None:
        return ''
    _, values = mean_curve(base)
    if not values.size:
        return ''
    target = float(values.mean(0)[-1])
    rows = [['', 'steps to it', 'CPU minutes to it', 'CPU minutes in all']]
    for row in table.rows:
        steps, values = mean_curve(row)
        if row.method != TEACHER and len(steps):
            reached = steps_to(list(steps), list(values.mean(0)), target)
            whole = minutes_of(row)
            part = whole and reached and whole * reached / float(steps[-1])
            rows.append(
                [
                    row_title(study, table, row),
                    'never' if reached is None else f'{reached:.0f}',
                    f'{part:.1f}' if part else '',
                    f'{whole:.1f}' if whole else '',
                ]
            )
    title = escape(row_title(study, table, base))
    return (
        f'<h3>Time to the final accuracy of: {title} ({target:.2f} on '
        f'held-out images)</h3>\n{html.table(rows)}'
    )


def _pictures(study: Study) -> str:
    boxes = []
    for name, text in study.pictures.items():
        content = (study.file.parent / name).read_bytes()
        kind = mimetypes.guess_type(name)[0]
        boxes.append(html.figure(html.picture(content, kind, text), text))
    return ''.join(boxes)


def _bold(text: str) -> str:
    """Write a sentence of Markdown that has one bold word."""
    before, word, after = text.split('**')
    return f'{escape(before)}<strong>{escape(word)}</strong>{escape(after)}'
