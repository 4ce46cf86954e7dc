"""Writes the tables of docs/benchmarks.md from docs/benchmarks.json.

    python tools/benchmark/tables.py
    python tools/benchmark/tables.py --add result.json --pair 'R34 → R18'

A table stands between `<!-- NAME -->` and `<!-- /NAME -->`. `--add` takes a
result of `benchmark.py --out` into the json first.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[2] / 'docs'
PARTS = ('student', 'teacher', 'connectors')


def main(argv: Sequence[str] | None = None) -> None:
    """Add a result if there is one; write all tables."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--add', type=Path, help='of benchmark.py --out')
    parser.add_argument('--pair', help='its name in the tables')
    parser.add_argument('--option', default='float32', help='the same')
    parser.add_argument('--machine', default='Zen 4', help='the same')
    args = parser.parse_args(argv)
    file, page = DOCS / 'benchmarks.json', DOCS / 'benchmarks.md'
    data = json.loads(file.read_text('utf-8'))
    if args.add:
        labels = dict(machine=args.machine, pair=args.pair, option=args.option)
        data['steps'].append(step(json.loads(args.add.read_text()), labels))
        file.write_text(dump(data), 'utf-8')
    page.write_text(filled(page.read_text('utf-8'), data), 'utf-8')


def step(result: Mapping[str, Any], labels: Mapping[str, str]) -> dict:
    """Return what the tables need of a result of benchmark.py."""
    runs = next(iter(result['runs'].values()))
    seconds = {k: round(v, 3) for k, v in result['seconds'].items()}
    return dict(labels, date=result['date'], rounds=len(runs), **seconds)


def dump(data: Mapping[str, Any]) -> str:
    """Format the json with one measurement a line."""
    parts = []
    for name, rows in data.items():
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        parts.append(f'"{name}": [\n' + ',\n'.join(lines) + '\n]')
    return '{\n' + ',\n'.join(parts) + '\n}\n'


def filled(page: str, data: Mapping[str, Any]) -> str:
    """Put each table between its two marks.

    Raises:
        ValueError: If a table has no place in the page.
    """
    for name, make in TABLES.items():
        start, end = f'<!-- {name} -->\n', f'\n<!-- /{name} -->'
        before, first, rest = page.partition(start)
        _, second, after = rest.partition(end)
        if not (first and second):
            raise ValueError(f'Expected {start.strip()} in the page.')
        page = before + start + make(data) + end + after
    return page


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format a table."""
    lines = [head, ['---'] * len(head), *rows]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def steps(data: Mapping[str, Any]) -> str:
    """Put medians beside MMRazor's, with their ratio."""
    head = ['pair', '', 'machine', 'ours', 'MMRazor', 'MMRazor / ours']
    return markdown(
        [*head, *PARTS, 'rounds'],
        [
            [
                *(row[key] for key in ('pair', 'option', 'machine')),
                f'{row["step"]:.2f}',
                f'{row["mmrazor"]:.2f}',
                f'**{row["mmrazor"] / row["step"]:.2f}**',
                *(_seconds(row.get(part)) for part in PARTS),
                str(row['rounds']),
            ]
            for row in data['steps']
        ],
    )


def every(data: Mapping[str, Any]) -> str:
    """Average a step that distils and one that does not: `every=2`.

    Where the latter was not timed, it is taken for the student's alone.
    """
    rows = []
    for row in data['steps']:
        if 'student' in row and row['machine'] == 'Zen 4':
            mean = (row['step'] + row.get('rest', row['student'])) / 2
            ratio = row['mmrazor'] / mean
            rows.append(
                [row['pair'], row['option'], f'{mean:.2f}', f'{ratio:.2f}']
            )
    return markdown(['pair', '', 'mean of two', 'MMRazor / ours'], rows)


def generator(data: Mapping[str, Any]) -> str:
    """List the generator alone, in milliseconds."""
    head = ['channels, λ', 'N × H × W', 'machine', 'plain', 'ours']
    return markdown(
        [*head, 'plain / ours'],
        [
            [
                *(row[key] for key in ('channels', 'size', 'machine')),
                *(f'{row[key]:,.1f}' for key in ('plain', 'ours')),
                f'{row["plain"] / row["ours"]:.2f}',
            ]
            for row in data['generator']
        ],
    )


def memory(data: Mapping[str, Any]) -> str:
    """List the peak of memory and the size of a file."""
    head = ['pair', 'machine', 'peak (GB)', 'of MMRazor', 'file (MB)']
    keys = ('pair', 'machine', 'peak', 'peak_mmrazor', 'file', 'file_mmrazor')
    rows = [[str(row[key]) for key in keys] for row in data['memory']]
    return markdown([*head, 'of MMRazor'], rows)


def dtype(data: Mapping[str, Any]) -> str:
    """List the student's result under a cheaper teacher, in percent."""
    head = ['teacher', 'top-1 of seeds 0, 1, 2', 'mean ± sd']
    return markdown(head, [list(row) for row in data['dtype']])


def whole(data: Mapping[str, Any]) -> str:
    """Put whole trainings beside that of the stock tool."""
    first = data['whole'][0]
    rows = [
        [
            row['way'],
            f'{row["start"]:.2f}',
            f'{row["step"]:.2f}' if row['step'] else '',
            f'{row["step"] / first["step"] - 1:+.1%}' if row['step'] else '',
        ]
        for row in data['whole']
    ]
    head = ['', 'start (s)', 'a step (ms)', 'to the stock tool']
    return markdown(head, rows)


def variance(data: Mapping[str, Any]) -> str:
    """Put the scatter of a gradient beside that of full steps."""
    return markdown(
        ['', 'scatter of the gradient', 'of full steps', 'ratio'],
        [
            [
                row['option'],
                f'{row["scatter"]:.3f}',
                f'{row["full"]:.3f}',
                f'{row["scatter"] / row["full"]:.2f}',
            ]
            for row in data['variance']
        ],
    )


def _seconds(value: float | None) -> str:
    return '' if value is None else f'{value:.2f}'


TABLES = {
    'steps': steps,
    'every': every,
    'generator': generator,
    'memory': memory,
    'dtype': dtype,
    'variance': variance,
    'whole': whole,
}

if __name__ == '__main__':
    main()
