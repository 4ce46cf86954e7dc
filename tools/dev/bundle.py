"""Write a folder from which mmmgd can be installed without a network.

Called by `make bundle`. It holds the wheel of mmmgd, those of its requirements
and, of the codebases that are named, theirs: all that pip needs besides
torch, which is there on such a machine. mmcv is compiled for one torch and one
Python, so it belongs to the machine as well.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = """Install, in an environment that has torch (and mmcv):

    python -m pip install --no-index --find-links wheels mmmgd

With --no-deps also what lies there of a codebase. The configs are in the
package, too: `python -m mmmgd inspect mmmgd::classification/...`.
"""


def main(argv: list) -> None:
    """Build and download the wheels, and copy the configs."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--out', type=Path, default=ROOT / 'dist' / 'bundle')
    parser.add_argument(
        '--with',
        dest='more',
        nargs='*',
        default=[],
        metavar='NAME==VERSION',
        help='distributions to add without their requirements: a codebase',
    )
    args = parser.parse_args(argv)
    if args.out.exists():
        sys.exit(f'make bundle: {args.out} exists; remove it, or give --out')
    part = args.out.with_name(args.out.name + '.part')
    shutil.rmtree(str(part), ignore_errors=True)
    wheels = part / 'wheels'
    pip = [sys.executable, '-m', 'pip', 'wheel', '--no-build-isolation']
    pip += ['--quiet', '-w', str(wheels)]
    subprocess.run([*pip, str(ROOT)], check=True)
    if args.more:
        subprocess.run([*pip, '--no-deps', *args.more], check=True)
    shutil.copytree(
        str(ROOT / 'configs'),
        str(part / 'configs'),
        ignore=shutil.ignore_patterns('__pycache__'),
    )
    (part / 'README.txt').write_text(README, encoding='utf-8')
    part.rename(args.out)  # whole, or not there
    names = sorted(path.name for path in (args.out / 'wheels').iterdir())
    print('\n'.join([f'{args.out}:', *(f'  wheels/{name}' for name in names)]))


if __name__ == '__main__':
    main(sys.argv[1:])
