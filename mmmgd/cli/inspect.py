"""``python -m mmmgd inspect CONFIG``: the report, without data or training.

Also lists what can be a point, and proposes pairs. Nothing is downloaded.
Exit status 1 if the config would not train.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from mmmgd.checkpoints.reading import local_path
from mmmgd.config import (
    Options,
    check_config,
    is_distilled,
    read_config,
    student_config,
    whole_model,
)
from mmmgd.models.distill import MGDDistill
from mmmgd.points.candidates import Candidate, candidates, propose_pairs
from mmmgd.points.dry_pass import SIZE
from mmmgd.report.preflight import preflight
from mmmgd.teacher.teacher import Teacher

# What a config that cannot be trained raises, from us and from registries.
REFUSALS = (
    ValueError,
    RuntimeError,
    TypeError,
    KeyError,
    OSError,
    ImportError,
)


def main(argv: list[str]) -> int:
    """Print what is asked for; return 1 if the config is refused."""
    args = make_parser().parse_args(argv)
    try:
        cfg = read_config(args.config, args.cfg_options)
        scope = cfg.get('default_scope')
        with DefaultScope.overwrite_default_scope(scope):
            _points(cfg, args.teacher, args.size)
            if is_distilled(cfg):
                _report(cfg, args.processes, args.weights)
    except REFUSALS as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the arguments."""
    parser = argparse.ArgumentParser(
        prog='python -m mmmgd inspect',
        description='Lists the points of student and teacher, proposes pairs, '
        'and prints the report that training begins with.',
    )
    parser.add_argument('config', help='config file, or pkg::path')
    parser.add_argument(
        '--teacher',
        metavar='CONFIG',
        help='teacher to pair with, for the config of a plain student',
    )
    parser.add_argument(
        '--no-weights',
        dest='weights',
        action='store_false',
        help="do not read the teacher's file",
    )
    parser.add_argument(
        '--processes',
        type=int,
        default=1,
        help='how many will train, for the effective batch. Defaults to 1',
    )
    parser.add_argument(
        '--size',
        type=int,
        default=SIZE,
        help='height and width of the image that points are listed for. '
        f'Defaults to {SIZE}',
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=Options, metavar='KEY=VALUE'
    )
    return parser


def _points(cfg: Config, teacher: str | None, size: int) -> None:
    """List both models' points, so that a config without pairs gets some."""
    sides = [_listed('student', _student(cfg), size, trained=True)]
    known = (cfg.model.get('teacher') or {}) if is_distilled(cfg) else {}
    config = teacher or known.get('config')
    if config:
        built = Teacher(config, checkpoint=False).module
        sides.append(_listed('teacher', built, size, trained=False))
        print('Proposed `points`:')
        for pair in propose_pairs(*sides):
            print(f'  {_written(*pair)}')
        print()


def _student(cfg: Config) -> nn.Module:
    return MODELS.build(whole_model(student_config(cfg)))


def _listed(
    side: str, model: nn.Module, size: int, trained: bool
) -> list[Candidate]:
    points, reason = candidates(model, size, trained)
    print(f'Points of the {side} ({type(model).__name__}), {size}x{size}:')
    print('\n'.join(f'  {point}' for point in points))
    print(f'  ... no further without labels ({reason})\n' if reason else '')
    return points


def _written(student: Candidate, teacher: Candidate) -> str:
    """Return a pair as a config has it, with shapes to read beside it."""
    if student.point == teacher.point:
        text = repr(student.point)
    else:
        text = f'dict(student={student.point!r}, teacher={teacher.point!r})'
    return (
        f'{text},  # {student.shape[1:]} <- {teacher.shape[1:]}, '
        f'stride {student.stride:g}'
    )


def _report(cfg: Config, processes: int, weights: bool) -> None:
    check_config(cfg)
    model = MGDDistill(**_arguments(whole_model(cfg)))
    teacher = model.teacher
    # Without a download: a URL counts once it has been fetched.
    path = teacher.checkpoint and local_path(str(teacher.checkpoint))
    if weights and path and Path(path).is_file():
        teacher.load()
    report = preflight(model, cfg, processes)
    print('\n'.join([*report.lines, *report.warnings]))


def _arguments(model: Any) -> dict:
    return {key: value for key, value in model.items() if key != 'type'}
