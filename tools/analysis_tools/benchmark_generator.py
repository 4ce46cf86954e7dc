"""Times the generator alone: see ``tools/benchmark/generator.py``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmark.generator import main

if __name__ == '__main__':
    main()
