"""Commands as users type them, with our tools and without our package."""

import subprocess
import sys
from pathlib import Path

_EVALUATE = """
import json, sys
sys.modules['mmmgd'] = None  # importing it would fail
from mmengine.config import Config
from mmengine.runner import Runner
cfg = Config.fromfile(sys.argv[1])
cfg.load_from, cfg.work_dir = sys.argv[2], 'stock'
runner = Runner.from_cfg(cfg)
{test}
try:
    import mmmgd
except ImportError:
    print('mmmgd was absent')
"""


def command(folder: Path, *words: object) -> str:
    """Run Python in a folder; return what it printed."""
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def evaluate(folder: Path, config: str, file: Path, test: str) -> None:
    """Run lines of Python that test ``runner``, by stock OpenMMLab alone."""
    program = _EVALUATE.format(test=test)
    assert 'mmmgd was absent' in command(folder, '-c', program, config, file)
