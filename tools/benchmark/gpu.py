"""Times the three pairs at real sizes, float32 and AMP; one file to send.

    make benchmark-gpu
    python tools/benchmark/gpu.py --out result.json

Each pair runs in a process of its own: what does not fit is told, and the
others go on. The table is printed and written beside the file, as Markdown.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / 'tools' / 'analysis_tools' / 'benchmark.py'
# Config, images, height and width: what a GPU gets in training.
PAIRS = (
    (
        'classification/mgd-channel_resnet34_resnet18_8xb32_in1k.py',
        64,
        224,
        224,
    ),
    ('detection/mgd_retinanet-x101_retinanet-r50_2x_coco.py', 2, 800, 1333),
    (
        'semantic_segmentation/'
        'mgd_pspnet-r101_deeplabv3-r18_40k_cityscapes-512x512.py',
        2,
        512,
        512,
    ),
)
HEAD = (
    '| config | N × H × W | | ours (s) | MMRazor (s) | student alone (s) '
    '| MMRazor / ours | peak GB: ours, MMRazor |'
)


def main(argv: Sequence[str] | None = None) -> list[dict]:
    """Measure, print and write."""
    args = parse(argv)
    results = []
    for config, *numbers in args.pair or PAIRS:
        for amp in (False, True):
            run = run_one(config, [int(x) for x in numbers], amp, args)
            results.append(run)
            print(row(run), flush=True)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(results, indent=1) + '\n')
    written = args.out.with_suffix('.md')
    written.write_text(table(results))
    print(f'{table(results)}\nPlease send {args.out}: see docs/clusters.md.')
    return results


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        '--out', type=Path, default=ROOT / 'build' / 'benchmark-gpu.json'
    )
    parser.add_argument('--rounds', type=int, default=20)
    parser.add_argument('--device', default='cuda')
    parser.add_argument(
        '--pair',
        nargs=4,
        action='append',
        metavar=('CONFIG', 'N', 'H', 'W'),
        help='instead of the three',
    )
    return parser.parse_args(argv)


def run_one(
    config: str, numbers: Sequence[int], amp: bool, args: argparse.Namespace
) -> dict:
    """Run the benchmark of one pair; return its result or its last error."""
    images, height, width = (str(x) for x in numbers)
    path = config if args.pair else str(ROOT / 'configs' / config)
    out = args.out.with_suffix('.part')
    out.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(SCRIPT), path, '--against', 'mmrazor']
    command += ['--images', images, '--size', height, width]
    command += ['--rounds', str(args.rounds), '--warmup', '3', '--tf32']
    command += ['--device', args.device, '--out', str(out)]
    command += ['--amp'] if amp else []
    done = subprocess.run(command, capture_output=True, text=True)
    where = dict(config=config, images=int(images), amp=amp)
    where['size'] = [int(height), int(width)]
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ['no message']
        return dict(where, error=lines[-1])
    result = json.loads(out.read_text())
    out.unlink()
    return {**result, **where}


def row(run: dict) -> str:
    """Format one result as a row of the table."""
    height, width = run['size']
    cells = [
        Path(run['config']).stem,
        f'{run["images"]} × {height} × {width}',
        'AMP' if run['amp'] else 'float32, TF32',
    ]
    if 'error' in run:
        return '| ' + ' | '.join([*cells, run['error']]) + ' | | | | |'
    s, peak = run['seconds'], run['peak_memory']
    cells += [f'{s[key]:.4f}' for key in ('step', 'mmrazor', 'student')]
    cells.append(f'{s["mmrazor"] / s["step"]:.2f}')
    peaks = (peak.get(key) for key in ('step', 'mmrazor'))
    cells.append(', '.join(f'{p / 1e9:.2f}' if p else '' for p in peaks))
    return '| ' + ' | '.join(cells) + ' |'


def table(results: Sequence[dict]) -> str:
    """Format all results as Markdown, with the device."""
    good = [run for run in results if 'error' not in run]
    where = good[0] if good else dict(device='no result', torch='')
    rows = '\n'.join(row(run) for run in results)
    return (
        f'{where["device"]}, torch {where["torch"]}\n\n{HEAD}\n'
        f'| {" | ".join(["---"] * 8)} |\n{rows}\n'
    )


if __name__ == '__main__':
    main()
