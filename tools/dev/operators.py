"""Get mmcv with its compiled operators, and prove that they load.

pip may hold an mmcv wheel that was built without operators, or against another
torch, and would install it without a word. Hence the proof, and one rebuild.
"""

import re
import shutil
import sys
import time
from pathlib import Path
from typing import Optional, TextIO

from checks import find_compiler
from shell import Problem, Shell

# Runs an operator instead of only importing it: a library that was compiled
# for another torch can load and still give nonsense.
PROOF = """
import sys, torch
from importlib.metadata import version
from mmcv.ops import nms
name, wanted = sys.argv[1].split('==')
found = version(name).split('+')[0]
assert found == wanted, f'expected {name} {wanted}, but {found} is installed'
boxes = torch.tensor([[0., 0, 9, 9], [0, 0, 9, 8], [20, 20, 30, 30]])
scores = torch.tensor([.9, .8, .7])
for device in sys.argv[2:]:
    kept = nms(boxes.to(device), scores.to(device), 0.5)[1].tolist()
    assert kept == [0, 2], kept
"""
NINJA = re.compile(r'^\s*\[(\d+)/(\d+)\]')


def ninja_progress(line: str) -> tuple:
    """Read ninja's `[3/78] c++ ...` as (3, 78); other lines give (0, 0)."""
    found = NINJA.match(line)
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)


class Progress:
    """Turns a compiler's output into one moving line, or a line every 5 %.

    Args:
        out: Stream to write to; the line moves if it is a terminal.
    """

    def __init__(self, out: Optional[TextIO] = None) -> None:
        self.out = out or sys.stdout
        self.shown = -1
        self.first = (0, 0.0)  # files done, and when, at the first line

    def __call__(self, line: str) -> None:
        """Show how far the compilation is, if `line` tells."""
        done, total = ninja_progress(line)
        if not total or done * 20 // total == self.shown:
            return
        if self.shown < 0:
            self.first = (done, time.time())
        self.shown = done * 20 // total
        text = f'    compiled {done:3d} of {total} files'
        spent = time.time() - self.first[1]
        if done > self.first[0]:
            left = spent / (done - self.first[0]) * (total - done)
            text += f', {spent / 60:4.1f} min so far, {left / 60:4.1f} to go'
        moving = self.out.isatty()
        end = '\r' if moving and done < total else '\n'
        print(text, end=end, file=self.out, flush=True)


def proof_problem(shell: Shell, requirement: Path, devices: list) -> str:
    """Run an operator on each device; return the error, or ''."""
    pin = requirement.read_text(encoding='utf-8').split()[0]
    status, output = shell.ask(['-I', '-c', PROOF, pin, *devices])
    if not status:
        return ''
    lines = output.strip().splitlines()
    return lines[-1] if lines else f'exit status {status}'


def ensure_operators(
    shell: Shell, requirement: Path, find_links: str = ''
) -> None:
    """Install mmcv so that its operators work, or raise Problem.

    Args:
        shell: Runs pip and Python inside the environment.
        requirement: File with the one line that names mmcv.
        find_links: Page or folder of prebuilt wheels.
    """
    devices, env = build_target(shell)
    if not proof_problem(shell, requirement, devices):
        return
    if prebuilt(shell, requirement, find_links):
        problem = proof_problem(shell, requirement, devices)
        if not problem:
            return
        shell.say(f'the prebuilt mmcv does not fit here ({problem})')
    for extra in ([], ['--no-cache-dir']):
        compile_mmcv(shell, requirement, env, extra)
        problem = proof_problem(shell, requirement, devices)
        if not problem:
            return
        if not extra:
            shell.say(f'that mmcv does not work here ({problem}); once more')
    raise Problem(
        f"mmcv's operators still do not load after a rebuild: {problem}; see "
        f'{shell.log}'
    )


def install_wheel(shell: Shell, requirement: Path, wheel: str) -> bool:
    """Install this wheel, and prove its operators on every device here."""
    status, _ = shell.ask(
        ['-I', '-c', 'import torch; assert torch.cuda.is_available()']
    )
    devices = ['cpu'] if status else ['cpu', 'cuda']
    shell.say(f'compiled already: {wheel}')
    status, output = shell.ask(
        ['-m', 'pip', 'install', '--no-deps', '--force-reinstall', wheel]
    )
    if status:
        problem = (output.strip().splitlines() or ['pip failed'])[-1]
    else:
        problem = proof_problem(shell, requirement, devices)
    if problem:
        shell.say(f'it does not fit: {problem}')
    return not problem


def build_target(shell: Shell) -> tuple:
    """Decide for which devices to compile: (devices to prove, variables)."""
    status, _ = shell.ask(
        ['-I', '-c', 'import torch; assert torch.cuda.is_available()']
    )
    if status:
        return ['cpu'], {}
    cuda = shell.env.get('CUDA_HOME', '/usr/local/cuda')
    if shutil.which('nvcc') or Path(cuda, 'bin', 'nvcc').exists():
        return ['cpu', 'cuda'], {}
    shell.say(
        'there is a GPU but no nvcc: compiling for the CPU only. Detectors '
        'need operators on the GPU: install the CUDA toolkit and run again '
        'in a new VENV, or give prebuilt wheels with MMCV_FIND_LINKS'
    )
    # mmcv asks torch whether there is a GPU; without nvcc it must see none.
    return ['cpu'], {'CUDA_VISIBLE_DEVICES': ''}


def prebuilt(shell: Shell, requirement: Path, find_links: str) -> bool:
    """Install a wheel that pip finds ready made; False if there is none."""
    links = ['--find-links', find_links] if find_links else []
    status, _ = shell.ask(
        ['-m', 'pip', 'install', '--no-deps', '--force-reinstall', *links]
        + ['--only-binary', ':all:', '-r', str(requirement)]
    )
    if status and find_links:
        shell.say(f'no mmcv wheel for this Python in {find_links}')
    return not status


def compile_mmcv(
    shell: Shell, requirement: Path, env: dict, extra: list
) -> None:
    """Compile mmcv (or take pip's kept build) and install it."""
    kept = '' if extra else ', unless pip kept an earlier build'
    shell.say(
        f"compiling mmcv's operators: once, about 10 minutes on 2 cores{kept}"
    )
    wheels = shell.venv / 'mmcv-wheel'
    shutil.rmtree(str(wheels), ignore_errors=True)
    env = dict(env, MMCV_WITH_OPS='1', CXX=find_compiler(shell.env))
    progress = Progress()
    shell.pip(
        ['wheel', '-v', '--no-build-isolation', '--no-deps', *extra]
        + ['-w', str(wheels), '-r', str(requirement)],
        on_line=progress,
        env=env,
    )
    if progress.shown < 0:
        shell.say('pip had kept an earlier build: nothing to compile')
    built = [str(path) for path in wheels.glob('*.whl')]
    shell.pip(['install', '--no-deps', '--force-reinstall', *built])
