"""``python -m mmmgd new STUDENT --teacher TEACHER``: write the config.

Builds both models, pairs their maps by stride, takes mask and weights from the
recipe of the task, and says why. Nothing is downloaded but a teacher's
checkpoint that is named by a URL, and, with ``--evaluate``, published weights.
"""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from mmmgd.checkpoints.atomic import write
from mmmgd.config import (
    dead_keys,
    stated_size,
    whole_model,
)
from mmmgd.engine.first_step import first_step
from mmmgd.points.pairs import Pair
from mmmgd.report.data_facts import classes_of, dataset_of
from mmmgd.report.proposal import propose
from mmmgd.report.recipes import METHODS, RECIPES, task_of
from mmmgd.report.sides import Side
from mmmgd.rng import isolated_rng
from mmmgd.teacher.build import build_frozen

from .config_text import Names, config_text
from .quality import measured
from .sources import Source, find_teacher, read_student
from .summary import facts, summary


def main(argv: list[str]) -> int:
    """Write a config, and say why it is as it is."""
    args = make_parser().parse_args(argv)
    cfg = read_student(args.student)
    source = find_teacher(args.teacher, args.teacher_checkpoint)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        trains = first_step(cfg) if args.data else None
        quality = (
            measured(cfg, args.student, args.student_checkpoint, source)
            if args.evaluate
            else []
        )
        sides = _student(cfg), _teacher(source)
        task = args.task or task_of(sides[0].model, cfg.default_scope)
        chosen = propose(
            *sides,
            task,
            args.method,
            [_pair(words) for words in args.points],
            bool((cfg.get('optim_wrapper') or {}).get('clip_grad')),
        )
    if trains is None:
        chosen.unknown.append(
            'Whether the student trains by itself: its data are not here.'
        )
    if source.missing:
        chosen.unknown.append(
            f"Whether the teacher's file fits: there is no {source.checkpoint}"
            ' yet. Training is refused without it.'
        )
    names, texts = _names(args.out, args.student, cfg, source)
    chosen.unknown += [
        f"What the student's `{key}` is meant to do: it is a key of MMCV 1.x "
        'that MMEngine never reads, so it is set to None.'
        for key in names.dead
    ]
    head = facts(task, *sides) + quality
    origin = 'Written by `python -m mmmgd new`, to be read and edited.'
    texts[args.out] = config_text(names, chosen, [origin, *head])
    _write(texts, args.force)
    print('\n'.join(summary(args.out, chosen, head)))
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the arguments."""
    methods = '; '.join(f'{name}: {text}' for name, text in METHODS.items())
    parser = argparse.ArgumentParser(
        prog='python -m mmmgd new',
        description='Writes a distillation config for a student and a '
        'teacher, and says why it is as it is.',
    )
    parser.add_argument(
        'student', help='config of the plain student, or pkg::path'
    )
    parser.add_argument(
        '--teacher',
        required=True,
        help='pkg::path, a config, a checkpoint that carries its config, a '
        'work dir, or the name of a published model',
    )
    parser.add_argument(
        '--teacher-checkpoint',
        metavar='FILE',
        help='its weights, where --teacher alone does not tell',
    )
    parser.add_argument(
        '-o',
        '--out',
        type=Path,
        default=Path('my_distill.py'),
        help='file to write. Defaults to my_distill.py',
    )
    parser.add_argument(
        '--method', choices=METHODS, default='mgd', help=methods
    )
    parser.add_argument(
        '--points',
        nargs='+',
        default=[],
        metavar='POINT',
        help='points to take instead of those proposed: one that both models '
        'have, or STUDENT_POINT=TEACHER_POINT',
    )
    parser.add_argument(
        '--task', choices=RECIPES, help='whose recipe; found by itself'
    )
    parser.add_argument(
        '--no-data',
        dest='data',
        action='store_false',
        help='do not try a step of the student on its data',
    )
    parser.add_argument(
        '--evaluate',
        action='store_true',
        help='measure student and teacher on their validation data, and warn '
        'of a teacher that is no better',
    )
    parser.add_argument(
        '--student-checkpoint',
        metavar='FILE',
        help='with --evaluate: weights of the student trained alone, or its '
        'work dir. Defaults to those that its package publishes',
    )
    parser.add_argument(
        '--force', action='store_true', help='overwrite files that exist'
    )
    return parser


def _student(cfg: Config) -> Side:
    with isolated_rng(0):
        model = MODELS.build(whole_model(cfg))
    dataset = dataset_of(cfg)
    crop = stated_size(whole_model(cfg), cfg)
    return Side(model, dataset, classes_of(dataset), crop)


def _teacher(source: Source) -> Side:
    cfg = source.cfg
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        own = (source.meta.get('dataset_meta') or {}).get('classes')
        classes = tuple(own) if own else classes_of(dataset_of(cfg))
        model = build_frozen(source.config or cfg.to_dict())
        return Side(model, dataset_of(cfg), classes)


def _pair(words: str) -> Pair:
    """Read 'point' or 'student=teacher'."""
    student, _, teacher = words.partition('=')
    return Pair(student, teacher or student)


def _names(
    out: Path, student: str, cfg: Config, source: Source
) -> tuple[Names, dict[Path, str]]:
    """Say how the config names both models, and write what has no file.

    A config in MMEngine's newer style cannot be the base of one in the older
    style; a checkpoint carries its config inside.

    Returns:
        The names, and the text of files that have to be written beside it.
    """
    texts = {}
    base, teacher = (_seen_from(out, n) for n in (student, source.config))
    if cfg._imported_names:
        base = f'{out.stem}_student.py'
        texts[out.with_name(base)] = cfg.pretty_text
    if not source.config:
        teacher = f'{out.stem}_teacher.py'
        texts[out.with_name(teacher)] = source.cfg.pretty_text
    empty_clip = 'clip_grad' in (cfg.get('optim_wrapper') or {})
    names = Names(base, teacher, source.checkpoint, empty_clip, dead_keys(cfg))
    return names, texts


def _seen_from(out: Path, name: str) -> str:
    """Return a path relative to the config that is written."""
    if not name or '::' in name:
        return name
    return os.path.relpath(Path(name).expanduser(), out.parent)


def _write(texts: Mapping[Path, str], force: bool) -> None:
    """Write all files, or none if one of them exists."""
    exist = [str(path) for path in texts if path.exists()]
    if exist and not force:
        raise FileExistsError(
            f'{", ".join(exist)} exists and may hold work of yours. Name '
            'another file by -o, or overwrite it with --force.'
        )
    for path, text in texts.items():
        write(path, text.encode())
