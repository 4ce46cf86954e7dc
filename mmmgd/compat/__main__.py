"""Run a script with the repairs applied: ``python -m mmmgd.compat SCRIPT``.

For tools that import MMRazor before they read a config, such as its own
``tools/train.py``: an import in the config would come too late for those.
"""

import os.path as osp
import runpy
import sys


def main(argv: list[str]) -> None:
    """Run ``argv[0]`` as Python would, with the rest as its arguments."""
    if not argv or not osp.isfile(argv[0]):
        sys.exit(
            'usage: python -m mmmgd.compat SCRIPT [ARGUMENT ...]\n'
            f'error: expected the path of a Python script, but got {argv[:1]}'
        )
    sys.argv = argv
    sys.path[0] = osp.dirname(osp.abspath(argv[0]))
    runpy.run_path(argv[0], run_name='__main__')


if __name__ == '__main__':
    main(sys.argv[1:])
