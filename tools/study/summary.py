"""The summary of a study, in Markdown, from its lines alone."""

from collections.abc import Iterable, Mapping, Sequence

from .compare import MIN_SEEDS
from .grid import Study, read_study
from .lines import Line, read
from .table import Row, Table, comparisons, tables

HEAD = (
    '<!-- Written by tools/study.py from the lines beside it; do not edit. -->'
)


def summarize(study: Study, failures: Mapping[str, str]) -> str:
    """Return the whole summary.

    Args:
        study: Its lines are read from beside the study file.
        failures: Cells that failed in this run, with the reason.
    """
    lines = read(study.lines)
    found = tables(study, lines)
    parts = [HEAD, f'# {study.name}', study.question.strip()]
    parts += [state(study, lines, failures)]
    parts += [section(study, table, found) for table in found]
    parts += notes(study, lines, found)
    return '\n\n'.join(part for part in parts if part) + '\n'


def state(
    study: Study, lines: Sequence[Line], failures: Mapping[str, str]
) -> str:
    """Say which cells are there, which are not, and which failed."""
    wanted = study.cells({})
    there = {(x['task'], x['method'], x['seed']) for x in lines}
    missing = [c for c in wanted if (c.task, c.method, c.seed) not in there]
    rows = [f'{len(wanted) - len(missing)} of {len(wanted)} cells have run.']
    if missing:
        seeds = sorted({c.seed for c in missing})
        rows.append(
            f'Not yet: seeds {", ".join(map(str, seeds))} '
            f'of {", ".join(sorted({c.method for c in missing}))}.'
        )
    rows += [f'\n- **failed**: {k}: {v}' for k, v in failures.items()]
    return ' '.join(rows)


def section(study: Study, table: Table, others: Sequence[Table]) -> str:
    """Return the table of one task, in one version."""
    task = study.tasks[table.task]
    title = f'## {task.title or table.task}'
    apart = [t for t in others if t.task == table.task]
    parts = [title]
    if len(apart) > 1:
        parts.append(
            f'Version {apart.index(table) + 1} of {len(apart)}: results of '
            'different code, data or torch are not averaged.'
        )
    parts += [_table(study, table), _provenance(table)]
    return '\n\n'.join(parts)


def _table(study: Study, table: Table) -> str:
    label = study.tasks[table.task].metric.label
    names = [n for n in study.baselines if table.of(n)]
    titles = [study.methods[name].title for name in names]
    head = ['', 'seeds', label]
    for title in titles:
        head += [f'− {title} [95 %]', 'p']
    rows = [head, ['---', *['---:'] * (len(head) - 1)]]
    for row in table.rows:
        cells = [row_title(study, table, row), str(row.spread.count)]
        cells.append(str(row.spread))
        for name in names:
            difference = row.differences.get(name)
            cells.append('' if difference is None else str(difference))
            cells.append(p_text(row.corrected.get(name)))
        rows.append(cells)
    return '\n'.join(f'| {" | ".join(row)} |' for row in rows)


def row_title(study: Study, table: Table, row: Row) -> str:
    """Return the name of a row, told from others of the same method."""
    method = study.methods.get(row.method)
    title = method.title if method else row.method
    point = [f'{key} {value:g}' for key, value in row.point.items()]
    same = [r for r in table.of(row.method) if r.point == row.point]
    if len(same) > 1:
        point.append(f'settings {row.settings[0]}')
    return ', '.join([title, *point])


def p_text(p: float | None) -> str:
    """Write a p value as people read it."""
    if p is None:
        return ''
    return '< 0.001' if p < 0.001 else f'{p:.3f}'


def _provenance(table: Table) -> str:
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
