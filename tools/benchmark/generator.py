"""Times align, mask, generator and MGD loss alone, forward and backward.

    python tools/analysis_tools/benchmark_generator.py
    python tools/analysis_tools/benchmark_generator.py \
        --channels 512 2048 --mask-ratio 0.75 --sizes 2x64x64 2x32x32

`plain` are the modules as written, `ours` what MGDConnector chooses. Without
arguments: the sizes of docs/benchmarks.md.
"""

import argparse
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from mmmgd.functional import mgd_loss
from mmmgd.models import MGDConnector

from .meter import environment, interleave, median

# C_s, C_t, mask ratio, sizes (N x H x W): Cityscapes, two-stage and one-stage
# detectors on COCO.
DEFAULTS = (
    (512, 2048, 0.75, ('2x64x64', '2x32x32', '2x16x16')),
    (256, 256, 0.65, ('2x100x168', '1x100x128', '1x50x64', '2x25x32')),
    (256, 256, 0.65, ('1x25x32', '4x13x21', '2x13x16', '1x13x16', '1x7x8')),
    (256, 256, 0.45, ('2x28x40',)),
)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print one line for each size."""
    args = parse(argv)
    where = environment(args.device)
    print(', '.join(f'{key} {value}' for key, value in where.items()))
    print(f'{"":32}{"plain":>10}{"ours":>10}{"ratio":>10}  (ms)')
    for student, teacher, ratio, sizes in cases(args):
        for size in sizes:
            shape = tuple(int(x) for x in size.split('x'))
            runs = subjects(student, teacher, ratio, shape, args.device)
            rounds = args.rounds or (3 if teacher > 1000 else 15)
            times = median(interleave(runs, rounds, 1, args.device))
            plain, ours = 1e3 * times['plain'], 1e3 * times['ours']
            name = f'{student} -> {teacher}, {ratio}, {size}'
            print(f'{name:32}{plain:10.2f}{ours:10.2f}{plain / ours:10.2f}')


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        '--channels',
        type=int,
        nargs=2,
        metavar=('STUDENT', 'TEACHER'),
    )
    parser.add_argument('--mask-ratio', type=float)
    parser.add_argument('--sizes', nargs='+', metavar='NxHxW')
    parser.add_argument('--rounds', type=int)
    parser.add_argument(
        '--device', default='cuda' if torch.cuda.is_available() else 'cpu'
    )
    args = parser.parse_args(argv)
    if args.sizes is None and (args.channels or args.mask_ratio is not None):
        parser.error('expected --sizes with --channels and --mask-ratio')
    return args


def cases(args: argparse.Namespace) -> Sequence[tuple]:
    """Return what to measure: the one case asked for, or the defaults."""
    if args.sizes is None:
        return DEFAULTS
    ratio = 0.65 if args.mask_ratio is None else args.mask_ratio
    return ((*(args.channels or (256, 256)), ratio, args.sizes),)


def subjects(
    student: int,
    teacher: int,
    ratio: float,
    shape: tuple[int, ...],
    device: str,
) -> dict[str, Callable[[], None]]:
    """Build the two runs, of the same sizes and features."""
    n, h, w = shape
    ours, plain = (
        MGDConnector(ratio, 'spatial', student, teacher, cheap).to(device)
        for cheap in (None, False)
    )
    feature = torch.randn(n, student, h, w, device=device, requires_grad=True)
    target = torch.randn(n, teacher, h, w, device=device)
    return {
        'plain': _run(plain, feature, target),
        'ours': _run(ours, feature, target),
    }


def _run(
    connector: MGDConnector,
    feature: Tensor,
    target: Tensor,
) -> Callable[[], None]:
    def run() -> None:
        mgd_loss(connector(feature), target).backward()
        connector.zero_grad()
        feature.grad = None

    return run
