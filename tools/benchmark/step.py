"""Times a distillation step, its parts, and MMRazor's step of the same pair.

    python tools/analysis_tools/benchmark.py CONFIG --against mmrazor \
        --images 2 --size 256 256 --out result.json

Weights, images and labels are random. See docs/benchmarks.md for results and
for what each line means.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger

from mmmgd.config import Options, read_config

from .meter import (
    count_operations,
    environment,
    interleave,
    median,
    peak_bytes,
    peak_rate,
    size_of,
    size_of_state,
    start_peak,
)
from .subjects import SUBJECTS, build

SCRIPT = Path(__file__).parents[1] / 'analysis_tools' / 'benchmark.py'


def main(argv: Sequence[str] | None = None) -> dict:
    """Read the arguments, measure, print, write."""
    argv = list(sys.argv[1:] if argv is None else argv)
    args = parse(argv)
    MMLogger.get_instance('benchmark', log_level='WARNING')
    torch.backends.cuda.matmul.allow_tf32 = args.tf32
    cfg = read_config(args.config, args.cfg_options)
    if args.peak_of:
        result: dict = dict(peak=measure_peak(cfg, args))
    else:
        result = measure(cfg, args)
        result['peak_memory'] = {
            name: _peak_in_a_process(argv, name)
            for name in ('student', 'step', 'mmrazor')
            if name in result['seconds'] and not args.time_only
        }
        print(table(result))
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(result, indent=1) + '\n')
    elif args.peak_of:
        print(json.dumps(result))
    return result


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('config')
    parser.add_argument('--against', choices=['mmrazor'])
    parser.add_argument('--images', type=int, default=2)
    parser.add_argument(
        '--size', type=int, nargs=2, default=(256, 256), metavar=('H', 'W')
    )
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument(
        '--subjects',
        nargs='+',
        choices=SUBJECTS,
        default=SUBJECTS,
        help='what to time. Defaults to all',
    )
    parser.add_argument('--warmup', type=int, default=1, help='rounds before')
    parser.add_argument(
        '--time-only', action='store_true', help='no operations, no memory'
    )
    parser.add_argument('--teacher-dtype', help="of Teacher: 'bfloat16', ...")
    parser.add_argument('--compile', action='store_true', help='of Teacher')
    parser.add_argument(
        '--channels-last',
        choices=['ours', 'all'],
        help="memory format of our models, or of MMRazor's, too",
    )
    parser.add_argument('--amp', action='store_true', help='autocast, all')
    parser.add_argument(
        '--tf32', action='store_true', help='of products of matrices, on GPUs'
    )
    parser.add_argument('--out', type=Path, help='json')
    parser.add_argument('--cfg-options', nargs='+', action=Options)
    parser.add_argument('--peak-of', help=argparse.SUPPRESS)
    parser.add_argument(
        '--device', default='cuda' if torch.cuda.is_available() else 'cpu'
    )
    return parser.parse_args(argv)


def measure(cfg: Config, args: argparse.Namespace) -> dict:
    """Time the step and its parts; count operations and bytes."""
    subjects, models, optimizers = build(cfg, args)
    subjects = {k: v for k, v in subjects.items() if k in args.subjects}
    peak = peak_rate(args.device)
    seconds = interleave(subjects, args.rounds, args.warmup, args.device)
    # What is compiled hides its operations from the counter.
    hidden = ('step', 'teacher') if args.compile else ()
    return dict(
        environment(args.device),
        config=args.config,
        images=args.images,
        size=list(args.size),
        amp=args.amp,
        teacher_dtype=args.teacher_dtype,
        compile=args.compile,
        channels_last=args.channels_last,
        seconds=median(seconds),
        runs=seconds,
        peak_operations_per_second=peak,
        operations={
            name: count_operations(run)
            for name, run in subjects.items()
            if name not in hidden and not args.time_only
        },
        checkpoint=checkpoint_sizes(models, optimizers),
    )


def measure_peak(cfg: Config, args: argparse.Namespace) -> int | None:
    """Return the peak of memory of a process that runs one subject."""
    subjects, _, _ = build(cfg, args, args.peak_of)
    start_peak(args.device)
    for _ in range(2):
        subjects[args.peak_of]()
    return peak_bytes(args.device)


def checkpoint_sizes(models: dict, optimizers: dict) -> dict[str, int]:
    """Return the bytes of weights and optimizer state in a file of each."""
    sizes = {}
    for name, model in models.items():
        if not optimizers[name].state:
            continue  # was not run
        sizes[name] = size_of(model.state_dict())
        sizes[name] += size_of_state(optimizers[name])
    return sizes


def table(result: dict) -> str:
    """Format the result for a terminal."""
    peak = result['peak_operations_per_second']
    lines = [
        f'{result["config"]}: {result["images"]} x {result["size"]}, '
        f'{result["device"]}, {result["threads"]} threads, torch '
        f'{result["torch"]}, {peak / 1e9:.0f} GFLOP/s in a matrix product',
        f'{"":12}{"s":>9}{"GFLOP":>9}{"of peak":>9}{"peak GB":>9}'
        f'{"file MB":>9}',
    ]
    for name, seconds in result['seconds'].items():
        flops = result['operations'].get(name)
        memory = result['peak_memory'].get(name)
        file = result['checkpoint'].get(name)
        cells = [
            f'{seconds:.3f}',
            f'{flops / 1e9:.0f}' if flops else '',
            f'{flops / seconds / peak:.0%}' if flops else '',
            f'{memory / 1e9:.2f}' if memory else '',
            f'{file / 1e6:.0f}' if file else '',
        ]
        lines.append(f'{name:12}' + ''.join(f'{c:>9}' for c in cells))
    if {'mmrazor', 'step'} <= set(result['seconds']):
        ratio = result['seconds']['mmrazor'] / result['seconds']['step']
        lines.append(f'MMRazor / ours: {ratio:.2f}')
    return '\n'.join(lines)


def _peak_in_a_process(argv: Sequence[str], name: str) -> int | None:
    """Run one subject in a process of its own, for its peak of memory."""
    kept = [a for i, a in enumerate(argv) if not _is_out(argv, i)]
    command = [sys.executable, str(SCRIPT), *kept, '--peak-of', name]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env=os.environ
    )
    return json.loads(done.stdout.splitlines()[-1])['peak']


def _is_out(argv: Sequence[str], i: int) -> bool:
    return argv[i] == '--out' or (i > 0 and argv[i - 1] == '--out')
