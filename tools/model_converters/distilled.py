"""Takes the student out of other people's distilled checkpoints.

Reads files of MMRazor (`architecture.`, `teacher.`, `distiller.`) and of the
authors' code (`student.`, `teacher.`, `distill_losses.`). Writes the plain
student, whose config is the student's or an MGDDistill with it:

    python tools/model_converters/distilled.py SOURCE TARGET --config CONFIG

With `--resumable`, CONFIG is an MGDDistill, and the file goes on training by
`tools/train.py CONFIG --resume TARGET`: with the connectors, the optimizer's
state and the epoch of SOURCE.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import mmmgd.compat  # noqa: F401  # isort: skip  (first: repairs mmseg::)

from _files import build, check_fits, write
from _resumable import resumable
from torch import Tensor

from mmmgd.checkpoints.fit import shapes_of
from mmmgd.checkpoints.reading import read_file
from mmmgd.checkpoints.state_dicts import is_state_dict, sub_state
from mmmgd.cli.messages import FLAG, HELP, one_message
from mmmgd.config import (
    is_distilled,
    read_config,
    student_config,
    teacher_configs,
)


class Layout(NamedTuple):
    """Where a trainer keeps things: prefixes in its state dict."""

    name: str
    student: str
    connectors: str
    losses: str = ''  # whose parameters we have no place for


LAYOUTS = (
    Layout(
        'MMRazor',
        'architecture.',
        'distiller.connectors.',
        'distiller.distill_losses.',
    ),
    Layout('yzd-v/MGD', 'student.', 'distill_losses.'),
)


def main(argv: Sequence[str] | None = None) -> None:
    """Read, take apart, check against the model, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('source', help='checkpoint, path or URL')
    parser.add_argument('target', type=Path, help='the file to write')
    parser.add_argument('--config', required=True)
    parser.add_argument(
        '--resumable',
        action='store_true',
        help='see above; CONFIG: MGDDistill',
    )
    parser.add_argument(
        '--connector',
        action='append',
        default=[],
        metavar='THEIRS=OURS',
        help='which connector of SOURCE becomes which of CONFIG, such as\n'
        'fpn0=loss_mgd.0, where their names do not tell; once for each',
    )
    parser.add_argument(FLAG, action='store_true', help=HELP)
    args = parser.parse_args(argv)
    with one_message(args.traceback):
        content = read_file(args.source)
        layout, state = take_apart(content)
        cfg = read_config(args.config)
        shapes = shapes_of(build(student_config(cfg)))
        student = sub_state(state, layout.student)
        check_fits(
            student,
            shapes,
            f'the student of {args.config} in this file of {layout.name}',
            'Name the config that belongs to the file with --config.',
        )
        made: dict[str, Any] = {'state_dict': student, 'meta': {}}
        if args.resumable:
            made = make_resumable(content, state, layout, cfg, args.connector)
        write(made, args.target)
    print(f'{layout.name}: {len(student)} tensors of the student.')
    print(f'Written to {args.target}.')


def take_apart(content: Any) -> tuple[Layout, dict[str, Tensor]]:
    """Return who wrote the file, and its weights by their full names."""
    state = content.get('state_dict') if isinstance(content, Mapping) else None
    if is_state_dict(content):  # of .safetensors
        state = content
    if not isinstance(state, Mapping):
        raise ValueError(
            "expected a checkpoint with a 'state_dict', but this has none."
        )
    state = sub_state(state, 'module.') or state
    for layout in LAYOUTS:
        if any(key.startswith(layout.student) for key in state):
            return layout, state  # type: ignore[return-value]
    raise ValueError(
        'expected names that begin with '
        + ' or '.join(f'{x.student!r} ({x.name})' for x in LAYOUTS)
        + f', but found e.g. {list(state)[:3]}. Of a file of mmmgd the '
        "'state_dict' is the student already."
    )


def make_resumable(
    content: Mapping[str, Any],
    state: Mapping[str, Tensor],
    layout: Layout,
    cfg: Any,
    told: Sequence[str],
) -> dict[str, Any]:
    """Return what DistillHook would have written; say what went where."""
    if not is_distilled(cfg):
        raise ValueError(
            '--resumable expected the config of an mmmgd.MGDDistill, but '
            'this one has none. Leave --resumable out for the plain student.'
        )
    if layout.losses and any(k.startswith(layout.losses) for k in state):
        raise ValueError(
            'the file holds losses with parameters of their own, for which '
            'MGDDistill has no place. Leave --resumable out.'
        )
    for teacher in teacher_configs(cfg.model.teacher).values():
        teacher.checkpoint = False  # no weights of it are needed
    made, mapping = resumable(
        content,
        sub_state(state, layout.student),
        sub_state(state, layout.connectors),
        build(cfg),
        cfg,
        dict(pair.split('=', 1) for pair in told if '=' in pair),
    )
    for theirs, ours in mapping.items():
        print(f'connector {theirs} -> {ours}')
    return made


if __name__ == '__main__':
    main()
