"""``python -m mmmgd compare RUN_A RUN_B ...``: trainings side by side.

Reads the logs of work dirs: of the student alone, the distilled one, the
teacher. Builds no model and reads no checkpoint.
"""

import argparse
import mimetypes
from collections.abc import Sequence
from html import escape
from pathlib import Path

from mmmgd.checkpoints.atomic import write
from mmmgd.report import html
from mmmgd.report.comparison import (
    class_rows,
    metric_of,
    rows,
    verdict,
)
from mmmgd.report.run_log import RunLog, read_run
from mmmgd.report.run_roles import roles_of

CLASSES = 10  # of a long list in the terminal, the largest differences


def main(argv: list[str]) -> int:
    """Print the tables, and write the page that is asked for."""
    args = make_parser().parse_args(argv)
    runs = [read_run(folder) for folder in args.runs]
    if len({run.folder.resolve() for run in runs}) < 2:
        raise ValueError(
            'Expected two work dirs or more to compare, but got '
            f'{" ".join(args.runs)}.'
        )
    _tell_apart(runs)
    metric = metric_of(runs, args.metric)
    roles = roles_of(runs, args.teacher)
    said = verdict(runs, roles, metric, args.lower)
    table = rows(runs, roles, metric, args.lower)
    classes = class_rows(runs, roles)
    print('\n'.join([*said, html.markdown(table)]))
    for one in classes.values():
        print(f'\n{html.markdown(_shortened(one))}')
    if args.html:
        parts = _page(runs, said, table, classes, metric)
        write(args.html, html.document('Runs compared', parts).encode())
        print(f'\nWrote {args.html}.')
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the arguments."""
    parser = argparse.ArgumentParser(
        prog='python -m mmmgd compare',
        description='Compares trainings by the logs in their work dirs, say '
        'of the student alone, the distilled student and the teacher.',
    )
    parser.add_argument('runs', nargs='+', metavar='RUN', help='work dir')
    parser.add_argument(
        '--metric',
        help='what to compare, e.g. coco/bbox_mAP. Defaults to `save_best` of '
        'CheckpointHook, else the first that all runs have',
    )
    parser.add_argument(
        '--lower', action='store_true', help='less of it is better'
    )
    parser.add_argument(
        '--teacher',
        metavar='RUN',
        help="which is the teacher, where the distilled run's config does "
        'not tell',
    )
    parser.add_argument(
        '--html',
        type=Path,
        metavar='FILE',
        help='write a page with curves and pictures, too',
    )
    return parser


def _tell_apart(runs: Sequence[RunLog]) -> None:
    """Name runs by more of their path where the last folder is the same."""
    names = [run.folder.resolve() for run in runs]
    depth = 1
    while len({p.parts[-depth:] for p in names}) < len(set(names)):
        depth += 1
    for run, path in zip(runs, names, strict=True):
        run.name = '/'.join(path.parts[-depth:])


def _shortened(table: list[list[str]]) -> list[list[str]]:
    """Leave out the middle of a long table."""
    head, *body = table
    if len(body) <= CLASSES:
        return table
    half = CLASSES // 2
    gap = [f'({len(body) - 2 * half} more)', *([''] * (len(head) - 1))]
    return [head, *body[:half], gap, *body[-half:]]


def _page(
    runs: Sequence[RunLog],
    said: Sequence[str],
    table: Sequence[Sequence[str]],
    classes: dict[str, list[list[str]]],
    metric: str,
) -> list[str]:
    """Return the parts of the page."""
    from mmmgd.report.run_figures import curves  # matplotlib

    drawn = {
        f'{metric} after each validation': {
            run.name: run.curves[metric] for run in runs
        },
        'distillation loss / task loss': {
            run.name: run.ratio for run in runs if run.ratio
        },
    }
    boxes = [
        html.figure(curves(lines, text), text)
        for text, lines in drawn.items()
        if lines
    ]
    items = ''.join(f'<li>{escape(text)}</li>' for text in said)
    return [
        '<h1>Runs compared</h1>',
        f'<ul class="verdicts">{items}</ul>' if said else '',
        html.table(table),
        f'<div class="figures">{"".join(boxes)}</div>',
        '<h2>By class</h2>' if classes else '',
        *(html.table(one) for one in classes.values()),
        *_side_by_side(runs),
    ]


def _side_by_side(runs: Sequence[RunLog]) -> list[str]:
    """Return a row of pictures for each that two runs have painted."""
    names = dict.fromkeys(name for run in runs for name in run.pictures)
    parts = []
    for name in names:
        having = [run for run in runs if name in run.pictures]
        if len(having) < 2:
            continue
        boxes = []
        for run in having:
            file = run.pictures[name]
            kind = mimetypes.guess_type(file.name)[0]
            image = html.picture(file.read_bytes(), kind, run.name)
            boxes.append(html.figure(image, f'{run.name}, {file.name}'))
        parts.append(
            f'<h2>{escape(name)}</h2>'
            f'<div class="figures">{"".join(boxes)}</div>'
        )
    return parts
