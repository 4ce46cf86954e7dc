"""Memory and open files of other processes, over their lives (Linux)."""

import os
from pathlib import Path
from typing import Any, Dict, List, Tuple

START = 0.5  # the part of a life that does not count: imports, first steps


class Watch:
    """Looks at processes again and again."""

    def __init__(self) -> None:
        self.seen: Dict[int, List[Tuple[int, int]]] = {}

    def look(self, pid: int) -> None:
        """Note what a process has now; nothing if it has ended."""
        try:
            status = Path('/proc/{}/status'.format(pid)).read_text()
            files = len(os.listdir('/proc/{}/fd'.format(pid)))
        except OSError:
            return
        for line in status.splitlines():
            if line.startswith('VmRSS:'):
                kilobytes = int(line.split()[1])
                self.seen.setdefault(pid, []).append((kilobytes, files))

    def summary(self) -> Dict[str, Any]:
        """Return the number of processes, and the most that one had.

        ``growth_mb`` is what the process that was looked at longest had more
        at its end than when half of its life was over; ``more_files`` alike.
        """
        if not self.seen:
            return {'processes': 0}
        longest = max(self.seen.values(), key=len)
        middle, end = longest[int(len(longest) * START)], longest[-1]
        every = [one for life in self.seen.values() for one in life]
        return {
            'processes': len(self.seen),
            'most_mb': max(memory for memory, _ in every) // 1024,
            'most_files': max(files for _, files in every),
            'growth_mb': (end[0] - middle[0]) // 1024,
            'more_files': end[1] - middle[1],
        }
