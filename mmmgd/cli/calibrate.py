"""``python -m mmmgd calibrate CONFIG``: measure the weight of each loss.

Runs some batches of the real pipeline at initialisation and after a short
warm-up, and prints how large the distillation loss is beside the task's. The
rule is the authors': bring it near the task loss (yzd-v/MGD issue 2), 0.1 to 2
times as large (yzd-v/FGD issue 11).
"""

import argparse

from mmengine.registry import DefaultScope

from mmmgd.checkpoints.reading import guard_mmengine
from mmmgd.config import (
    Options,
    check_config,
    is_distilled,
    positive,
    read_config,
)
from mmmgd.engine.calibration import Calibration, calibrate
from mmmgd.models.auto_weight import TARGET_RATIO


def main(argv: list[str]) -> int:
    """Print what was measured."""
    args = make_parser().parse_args(argv)
    cfg = read_config(args.config, args.cfg_options)
    check_config(cfg)
    if not is_distilled(cfg):
        raise ValueError(
            f'Expected a config with a teacher, but {args.config} trains a '
            'plain model. `python -m mmmgd new` writes one.'
        )
    cfg.log_level = 'WARNING'
    guard_mmengine()
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
        found = calibrate(cfg, args.batches, args.warmup, args.target)
    for name, one in found.items():
        print('\n'.join(describe(name, one, args)))
    return 0


def steps(text: str) -> int:
    """Read a number of steps, as a type of argparse; it may be none."""
    return 0 if int(text) == 0 else positive(text)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the arguments."""
    parser = argparse.ArgumentParser(
        prog='python -m mmmgd calibrate',
        description='Measures how large each distillation loss is beside the '
        'loss of the task, and prints the weight for a ratio.',
    )
    parser.add_argument('config', help='config with a teacher')
    parser.add_argument(
        '--batches',
        type=positive,
        default=10,
        metavar='K',
        help='batches to average over, twice. Defaults to 10',
    )
    parser.add_argument(
        '--warmup',
        type=steps,
        default=50,
        metavar='STEPS',
        help='training steps between the two; with 0 only the start is '
        'measured. Defaults to 50',
    )
    parser.add_argument(
        '--target',
        type=float,
        default=TARGET_RATIO,
        metavar='RATIO',
        help='distillation loss / task loss to aim at. Defaults to '
        f'{TARGET_RATIO:g}',
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=Options, metavar='KEY=VALUE'
    )
    return parser


def describe(
    name: str, one: Calibration, args: argparse.Namespace
) -> list[str]:
    """Write what was measured of one loss, and the line to paste."""
    weight = one.best if one.weight is None else one.weight
    lines = [f'{name}, with loss_weight={weight:.4g}:']
    times = [('at the start', one.start)]
    if args.warmup:
        times.append((f'after {args.warmup} steps', one.warm))
    for when, found in times:
        lines.append(
            f'  {when:18}{weight * found.ratio:.4g} times the task loss '
            f'({found.task:.4g}); gradient in shared layers '
            f'{weight * found.gradients:.4g} times as large, cosine '
            f'{found.cosine:+.2f}'
        )
    return [
        *lines,
        f'  for a ratio of {args.target:g} after that:',
        f'    loss_weight={one.best:.3g}',
    ]
