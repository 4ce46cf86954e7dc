"""Times align, mask, generator and MGD loss alone, forward and backward.

    python tools/analysis_tools/benchmark_generator.py
    python tools/analysis_tools/benchmark_generator.py \
        --channels 512 2048 --mask-ratio 0.75 --sizes 2x64x64 2x32x32

`plain` are the modules as written, `ours` what MGDConnector chooses, `cheap`
is forced to save products. Without arguments: the sizes of docs/benchmarks.md.
"""

import argparse
from collections.abc import Callable, Sequence

import torch
from benchmark_meter import environment, interleave, median
from torch import Tensor

from mmmgd.functional import mgd_loss
from mmmgd.models import MGDConnector

# C_s, C_t, mask ratio, sizes (N x H x W): Cityscapes, two-stage and one-stage
# detectors on COCO.
DEFAULTS = (
    (512, 2048, 0.75, ('2x64x64', '2x32x32', '2x16x16')),
    (256, 256, 0.65, ('2x100x168', '1x100x128', '1x50x64', '2x25x32')),
    (256, 256, 0.65, ('1x25x32', '4x13x21', '2x13x16', '1x13x16', '1x7x8')),
    (256, 256, 0.45, ('2x28x40',)),
)
WAYS: dict[str, bool | None] = {'plain': False, 'ours': None, 'cheap': True}


def main(argv: Sequence[str] | None = None) -> None:
    """Measures and prints one line for each size."""
    args = parse(argv)
    where = environment(args.device)
    print(', '.join(f'{key} {value}' for key, value in where.items()))
    print(f'{"":32}' + ''.join(f'{k:>10}' for k in (*WAYS, 'ratio')))
    for student, teacher, ratio, sizes in cases(args):
        for size in sizes:
            shape = tuple(int(x) for x in size.split('x'))
            runs = subjects(student, teacher, ratio, shape, args.device)
            rounds = args.rounds or (3 if teacher > 1000 else 15)
            ms = {
                name: 1e3 * seconds
                for name, seconds in median(
                    interleave(runs, rounds, 1, args.device)
                ).items()
            }
            name = f'{student} -> {teacher}, {ratio}, {size}'
            cells = [*ms.values(), ms['plain'] / ms['ours']]
            print(f'{name:32}' + ''.join(f'{x:10.2f}' for x in cells))


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Reads the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        '--channels',
        type=int,
        nargs=2,
        metavar=('STUDENT', 'TEACHER'),
        default=(256, 256),
    )
    parser.add_argument('--mask-ratio', type=float, default=0.65)
    parser.add_argument('--sizes', nargs='+', metavar='NxHxW')
    parser.add_argument('--rounds', type=int)
    parser.add_argument(
        '--device', default='cuda' if torch.cuda.is_available() else 'cpu'
    )
    return parser.parse_args(argv)


def cases(args: argparse.Namespace) -> Sequence[tuple]:
    """Returns what to measure: the one case asked for, or the defaults."""
    if args.sizes is None:
        return DEFAULTS
    return ((*args.channels, args.mask_ratio, args.sizes),)


def subjects(
    student: int,
    teacher: int,
    ratio: float,
    shape: tuple[int, ...],
    device: str,
) -> dict[str, Callable[[], None]]:
    """Builds one run for each way, of the same connector and features."""
    n, h, w = shape
    connector = MGDConnector(ratio, 'spatial', student, teacher).to(device)
    feature = torch.randn(n, student, h, w, device=device, requires_grad=True)
    target = torch.randn(n, teacher, h, w, device=device)
    return {
        name: _run(connector, cheap, feature, target)
        for name, cheap in WAYS.items()
    }


def _run(
    connector: MGDConnector,
    cheap: bool | None,
    feature: Tensor,
    target: Tensor,
) -> Callable[[], None]:
    def run() -> None:
        connector.cheap = cheap
        mgd_loss(connector(feature), target).backward()
        connector.zero_grad()
        feature.grad = None

    return run


if __name__ == '__main__':
    main()
