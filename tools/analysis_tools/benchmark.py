"""Times a distillation step: see ``tools/benchmark/step.py``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmark.step import main

if __name__ == '__main__':
    main()
