"""The summary of a study, in Markdown, from its lines alone."""

import itertools
from collections.abc import Iterable, Mapping, Sequence

from mmmgd.report import html

from .compare import MIN_SEEDS
from .grid import Cell, Study
from .lines import Line, read, results
from .reading import read_study
from .table import Row, Table, comparisons, tables

SIGNIFICANT = 0.01  # corrected p below which a difference is believed
HEAD = (
    '<!-- Written by tools/study.py from the lines beside it; do not edit. -->'
)


def summarize(study: Study, failures: Mapping[str, str]) -> str:
    """Return the whole summary.

    Args:
        study: Its lines are read from beside the study file.
        failures: Cells that failed in this run, with the reason.
    """
    lines = results(study)
    found = tables(study, lines)
    parts = [HEAD, f'# {study.name}', study.question.strip()]
    parts += ['\n'.join(f'- {text}' for text in verdicts(study, found))]
    parts += [state(study, lines, failures)]
    parts += [section(study, table, found) for table in found]
    parts += notes(study, lines, found)
    return '\n\n'.join(part for part in parts if part) + '\n'


def state(
    study: Study, lines: Sequence[Line], failures: Mapping[str, str]
) -> str:
    """Say which cells are there, which are not, and which failed."""
    wanted = study.cells({})
    there = [
        (x['task'], x['method'], x.get('point') or {}, x['seed'])
        for x in lines
    ]
    missing = [
        c for c in wanted if (c.task, c.method, c.point, c.seed) not in there
    ]
    rows = [f'{len(wanted) - len(missing)} of {len(wanted)} cells have run.']
    if missing:
        seeds = sorted({c.seed for c in missing})
        rows.append(
            f'Not yet: seeds {", ".join(map(str, seeds))} '
            f'of {", ".join(sorted({_series(c) for c in missing}))}.'
        )
    rows += [f'\n- **failed**: {k}: {v}' for k, v in failures.items()]
    return ' '.join(rows)


def _series(cell: Cell) -> str:
    values = (f' with {k}={v}' for k, v in cell.point.items())
    return cell.method + ''.join(values)


def section(study: Study, table: Table, others: Sequence[Table]) -> str:
    """Return the table of one task, in one version."""
    title = study.tasks[table.task].title or table.task
    parts = [f'## {title}', version_note(table, others)]
    parts += [markdown(study, table), provenance(table)]
    return '\n\n'.join(part for part in parts if part)


def version_note(table: Table, others: Sequence[Table]) -> str:
    """Say that there are results of other versions, where there are."""
    apart = [other for other in others if other.task == table.task]
    if len(apart) < 2:
        return ''
    return (
        f'Version {apart.index(table) + 1} of {len(apart)}: results of '
        'different code, data or torch are not averaged.'
    )


def markdown(study: Study, table: Table) -> str:
    """Return a table in Markdown."""
    return html.markdown(cells(study, table))


def cells(study: Study, table: Table) -> list[list[str]]:
    """Return a table as text: the head, then the rows."""
    names = [n for n in study.baselines if table.of(n)]
    head = ['', 'seeds', study.tasks[table.task].metric.label]
    for name in names:
        head += [f'− {study.methods[name].title} [95 %]', 'p']
    rows = [head]
    for row in table.rows:
        entry = [row_title(study, table, row), str(row.spread.count)]
        entry.append(str(row.spread))
        for name in names:
            difference = row.differences.get(name)
            entry.append('' if difference is None else str(difference))
            entry.append(p_text(row.corrected.get(name)))
        rows.append(entry)
    return rows


def verdicts(study: Study, found: Sequence[Table]) -> list[str]:
    """State for each claim whether the results support it."""
    said = []
    for table, (method, baseline) in itertools.product(found, study.claims):
        titles = [study.methods[name].title for name in (method, baseline)]
        claim = f'{titles[0]} > {titles[1]}'
        if len(study.tasks) > 1:
            claim = f'{study.tasks[table.task].title}: {claim}'
        for row in table.of(method):
            said.append(f'{claim}: {_verdict(row, baseline)}')
    return said


def _verdict(row: Row, baseline: str) -> str:
    difference = row.differences.get(baseline)
    p = row.corrected.get(baseline)
    if difference is None:
        return '**not measured yet**.'
    if p is None:
        word = f'open, {difference.count} of at least {MIN_SEEDS} seeds'
    elif p >= SIGNIFICANT:
        word = 'not shown'
    else:
        word = 'yes' if difference.mean > 0 else 'no, the contrary'
    number = f'{difference} points'
    return f'**{word}** ({number}{f", p {p_text(p)}" if p else ""}).'


def row_title(study: Study, table: Table, row: Row) -> str:
    """Return the name of a row, told from others of the same method."""
    method = study.methods.get(row.method)
    title = method.title if method else row.method
    point = [
        f'{key} {value:g}' if is_number(value) else f'{key} {value}'
        for key, value in row.point.items()
    ]
    same = [r for r in table.of(row.method) if r.point == row.point]
    if len(same) > 1:
        point.append(f'settings {row.settings[0]}')
    return ', '.join([title, *point])


def is_number(value: object) -> bool:
    """Return whether a value of a sweep lies on a line."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def p_text(p: float | None) -> str:
    """Format a p value."""
    if p is None:
        return ''
    return '< 0.001' if p < 0.001 else f'{p:.3f}'


def provenance(table: Table) -> str:
    """State the code, data and versions behind a table's numbers."""
    lines = [line for row in table.rows for line in row.lines.values()]
    code, data, torch = table.version
    commits = _all(line.get('commit') for line in lines)
    processors = _all(line.get('processor') for line in lines)
    return (
        f'Code {code} (commit {commits}), data {data}, torch {torch}, on '
        f'{processors}.'
    )


def _all(values: Iterable[object]) -> str:
    return ', '.join(sorted({str(v) for v in values if v is not None}))


def notes(
    study: Study, lines: Sequence[Line], found: Sequence[Table]
) -> list[str]:
    """Say how to read the tables, and how the settings were chosen."""
    count = comparisons(found)
    p = (
        f'p: two-sided paired t test over seeds, corrected by Holm over the '
        f'{count} comparisons of this study'
        if count
        else f'No p value below {MIN_SEEDS} seeds'
    )
    text = [f'± is the standard deviation over seeds. {p}.']
    if study.split == 'validation':
        text.append(
            'Measured on images held out of the training data, to choose '
            'settings; the test images were not read.'
        )
    for name in study.tuning:
        tuned = read_study(study.file.parent / name)
        tried = {
            (x['task'], x['method'], x['settings']) for x in read(tuned.lines)
        }
        text.append(
            f'Settings were chosen among {len(tried)} that were tried on '
            f'held-out training images ({name}).'
        )
    return text
