"""Run Python and pip inside the environment, with everything in one log."""

import os
import re
import subprocess
from pathlib import Path
from typing import Callable, Optional

# Files worth a line of their own while pip is busy with them.
LARGE = re.compile(r'^\s*(Downloading|Using cached) (\S+) \((\d{3,}\S* MB)')


class Problem(Exception):  # noqa: N818  (the user's, not an error of ours)
    """An expected failure; its text says what to do."""


class Shell:
    """Runs commands with the Python of an environment.

    Args:
        venv: The environment; the log lies inside it.
    """

    def __init__(self, venv: Path) -> None:
        self.venv = venv
        self.python = str(venv / 'bin' / 'python')
        self.log = venv / 'install.log'
        path = os.pathsep.join(
            # ninja lies in the environment, which nobody has activated.
            [str((venv / 'bin').absolute()), os.environ.get('PATH', '')]
        )
        jobs = os.environ.get('MAX_JOBS', str(os.cpu_count() or 2))
        self.env = dict(os.environ, PATH=path, MAX_JOBS=jobs)

    def say(self, text: str) -> None:
        """Tell the user what is going on."""
        print(f'  - {text}', flush=True)

    def ask(self, args: list) -> tuple:
        """Run Python quietly; return (exit status, output)."""
        done = subprocess.run(
            [self.python, *args],
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding='utf-8',
            errors='replace',
        )
        with self.log.open('a', encoding='utf-8') as log:
            log.write(f'$ python {" ".join(args)}\n{done.stdout}\n')
        return done.returncode, done.stdout

    def pip(
        self,
        args: list,
        on_line: Optional[Callable] = None,
        env: Optional[dict] = None,
    ) -> None:
        """Run pip, line by line into the log; raise Problem on failure."""
        command = [self.python, '-m', 'pip', '--disable-pip-version-check']
        process = subprocess.Popen(
            command + args,
            env=dict(self.env, **(env or {})),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding='utf-8',
            errors='replace',
        )
        last = []  # type: list
        assert process.stdout
        with self.log.open('a', encoding='utf-8') as log:
            log.write(f'$ pip {" ".join(args)}\n')
            for line in process.stdout:
                log.write(line)
                log.flush()
                last = last[-14:] + [line[:300]]
                (on_line or self.show_large)(line)
        if process.wait():
            raise Problem(
                f'pip {args[0]} failed; the end of {self.log} is\n'
                + '    '.join(['', *last])
            )

    def show_large(self, line: str) -> None:
        """Name large files, so that a slow minute has an explanation."""
        found = LARGE.match(line)
        if found:
            name = '-'.join(found.group(2).split('-')[:2])
            text = f'{found.group(1).lower()} {name} ({found.group(3)})'
            print(f'    {text}', flush=True)
        elif line.startswith('Installing collected packages'):
            count = line.count(',') + 1
            print(f'    unpacking, packages: {count}', flush=True)
