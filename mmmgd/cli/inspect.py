"""``python -m mmmgd inspect CONFIG``: the report, without data or training.

Then lists what can be a point, and proposes pairs. Nothing is downloaded.
Exit status 1 if the config would not train; the points come all the same.
"""

import argparse
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from mmmgd.checkpoints.reading import local_path
from mmmgd.config import (
    Options,
    Size,
    check_config,
    is_distilled,
    positive,
    read_config,
    stated_size,
    student_config,
    teacher_configs,
    whole_model,
    with_preprocessor,
)
from mmmgd.points.image_size import image_sizes
from mmmgd.points.listing import Listed, first_complete
from mmmgd.points.propose import propose_pairs
from mmmgd.report.preflight import preflight
from mmmgd.teacher.build import build_frozen
from mmmgd.teacher.inputs import InputSize

from .listing import written


def main(argv: list[str]) -> int:
    """Print what is asked for; a config that is refused raises."""
    args = make_parser().parse_args(argv)
    cfg = read_config(args.config, args.cfg_options)
    if args.size and is_distilled(cfg):
        cfg.model.image_size = args.size
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        try:
            if is_distilled(cfg):
                _report(cfg, args.processes, args.weights)
        finally:  # what mends a wrong point
            _points(cfg, args)
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the arguments."""
    parser = argparse.ArgumentParser(
        prog='python -m mmmgd inspect',
        description='Prints the report that training begins with, the main '
        'points of student and teacher, and the pairs to choose from.',
    )
    parser.add_argument('config', help='config file, or pkg::path')
    parser.add_argument(
        '--teacher',
        metavar='CONFIG',
        help='teacher to pair with, for the config of a plain student',
    )
    parser.add_argument(
        '--all',
        dest='every',
        action='store_true',
        help='list all points, not only the last of each stage and level',
    )
    parser.add_argument(
        '--no-weights',
        dest='weights',
        action='store_false',
        help="do not read the teacher's file",
    )
    parser.add_argument(
        '--processes',
        type=positive,
        default=1,
        help='how many will train, for the effective batch. Defaults to 1',
    )
    parser.add_argument(
        '--size',
        type=positive,
        help='height and width of the image that points are listed for. '
        'Defaults to the training crop',
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=Options, metavar='KEY=VALUE'
    )
    return parser


def _points(cfg: Config, args: argparse.Namespace) -> None:
    """List all models' points, so that a config without pairs gets some."""
    plain, known = _models(cfg)
    if args.teacher:
        known = {'': dict(config=args.teacher)}
    student = MODELS.build(plain)
    teachers = {
        name: build_frozen(one['config']) for name, one in known.items()
    }
    inputs = {
        name: InputSize(one.get('input_size'), one.get('multiple_of'))
        for name, one in known.items()
    }

    def attempt(image: Size) -> list[Listed]:
        return [Listed.of('student', student, image)] + [
            Listed.of(
                f'teacher {name}'.rstrip(), module, inputs[name].of(image)
            )
            for name, module in teachers.items()
        ]

    crop = args.size or cfg.model.get('image_size') or stated_size(plain, cfg)
    mine, *others = first_complete(image_sizes(plain, crop), attempt)
    print(mine.text(args.every))
    for other in others:
        print(other.text(args.every))
        print('Proposed `points`:')
        for line in written(propose_pairs(mine.points, other.points)):
            print(f'  {line}')
        if args.size:
            print(f'and in the model: image_size={args.size}')
        print()


def _models(cfg: Config) -> tuple[Any, dict[str, Any]]:
    """Return the config of the student, and the arguments of each teacher."""
    if is_distilled(cfg):
        plain = whole_model(student_config(cfg))
        return plain, teacher_configs(cfg.model.teacher)
    if 'architecture' not in cfg.model:
        return whole_model(cfg), {}
    # Of MMRazor, whose algorithm loads the teacher when it is built.
    student, teacher = (
        part.get('cfg_path') or part
        for part in (cfg.model.architecture, cfg.model.get('teacher', {}))
    )
    if isinstance(student, str):
        student = read_config(student).model
    plain = with_preprocessor(student, cfg.get('data_preprocessor'))
    return plain, {'': dict(config=teacher)} if teacher else {}


def _report(cfg: Config, processes: int, weights: bool) -> None:
    check_config(cfg)
    model: Any = MODELS.build(whole_model(cfg))
    teachers = [t for t in model.teachers.values() if t.checkpoint and weights]
    for teacher in teachers:
        # Without a download: a URL counts once it has been fetched.
        if Path(local_path(teacher.checkpoint)).is_file():
            teacher.load()
    report = preflight(model, cfg, processes)
    print('\n'.join([*report.lines, *report.warnings, '']))
    for teacher in teachers:
        if not teacher.loaded and '://' not in teacher.checkpoint:
            teacher.load()  # says that the file is missing
