"""``python -m mmmgd doctor``: what is installed, what works, what to repair.

Exit status 1 if something needed is broken; a codebase that is simply not
installed is not an error. Imports nothing heavy, like ``environment``.
"""

import os
import platform
import re
import shlex
import sys
from importlib import metadata
from typing import NamedTuple

from mmmgd.version import __version__

from .environment import (
    DISTRIBUTIONS,
    PROBES,
    Finding,
    installed,
    pins_of,
    probe,
    stacks_of,
)

STACKS = {'onedl': 'OneDL', 'openmmlab': 'OpenMMLab'}
# In this order: when one of them fails, what comes after it cannot work.
NEEDED = ('torch', 'numpy', 'torchvision', 'mmengine', 'mmcv')
CODEBASES = {
    'mmpretrain': 'classification',
    'mmdet': 'detection, instance segmentation',
    'mmseg': 'semantic segmentation',
    'mmrazor': 'MMRazor-driven configs',
}
# Where the name to install differs from the name to import.
IMPORT_NAMES = {
    'cv2': 'opencv-python-headless',
    'PIL': 'pillow',
    'sklearn': 'scikit-learn',
    'yaml': 'pyyaml',
}


class Problem(NamedTuple):
    """Something needed that is broken, and the command that repairs it."""

    what: str
    fix: str


class Remedies:
    """Writes the commands that repair an environment of one stack.

    Args:
        stack: 'onedl' or 'openmmlab'.
        found: Module to the distributions that provide it here.
    """

    def __init__(self, stack: str, found: dict[str, list[str]]) -> None:
        self.stack = stack
        self.found = found
        python = sys.executable
        if python.startswith(os.getcwd() + os.sep):
            python = os.path.relpath(python)
        self.pip = f'{shlex.quote(python)} -m pip'

    def pinned(self, *modules: str) -> str:
        """Return what to install for modules, as our extras pin it."""
        pins = pins_of(self.stack)
        index = list(STACKS).index(self.stack)
        names = [DISTRIBUTIONS[module][index] for module in modules]
        return shlex.join(pins.get(name, name) for name in names)

    def build_tools(self) -> str:
        """Return the command that installs what building from source needs."""
        return f'{self.pip} install {shlex.join(pins_of("build").values())}'

    def reinstall(self, *modules: str) -> str:
        """Return the commands that remove all distributions and reinstall."""
        old = [name for module in modules for name in self.found[module]]
        remove = ''
        if old:
            remove = f'{self.pip} uninstall -y {shlex.join(old)} && '
        return (
            f'{remove}{self.build_tools()} && MMCV_WITH_OPS=1 {self.pip} '
            'install --no-build-isolation --no-cache-dir --no-deps '
            f'{self.pinned(*modules)}'
        )

    def install(self, module: str) -> str:
        """Return the command that installs a missing module."""
        if module in ('torch', 'torchvision', 'numpy'):
            names = self.pinned('torch', 'torchvision', 'numpy')
            return f'{self.pip} install {names}'
        if module == 'mmcv':
            return self.reinstall('mmcv')
        more = ' joblib' if module == 'mmrazor' else ''
        return f'{self.pip} install {self.pinned(module)}{more}'

    def repair(self, module: str, error: str) -> str:
        """Return the command for a module whose import ends with `error`."""
        if module == 'operators' or 'mmcv._ext' in error:
            return self.reinstall('mmcv')
        missing = re.search(r"No module named '(\w+)", error)
        if missing and missing[1] not in DISTRIBUTIONS:
            name = IMPORT_NAMES.get(missing[1], missing[1])
            return f'{self.pip} install {name}'
        if module in ('torch', 'torchvision', 'numpy'):
            return self.install(module)
        return self.reinstall(module)


def diagnose(
    stacks: list[str],
    found: dict[str, list[str]],
    findings: dict[str, Finding],
    remedies: Remedies,
) -> list[Problem]:
    """List what is broken, each cause once."""
    if len(stacks) > 1:
        modules = [m for m in ('mmengine', 'mmcv', *CODEBASES) if found[m]]
        names = ', '.join(name for m in modules for name in found[m])
        what = f'two stacks break each other in one environment: {names}'
        return [Problem(what, remedies.reinstall(*modules))]
    for module in NEEDED:
        if not found[module] and findings[module].error:
            what = f'{module} is not installed, and everything needs it'
            return [Problem(what, remedies.install(module))]
        if error := findings[module].error:
            fix = remedies.repair(module, error)
            return [Problem(f'{module} does not work: {error}', fix)]
    problems: dict[str, Problem] = {}
    wanted = ['operators'] if found['mmdet'] else []
    for module in wanted + [m for m in CODEBASES if found[m]]:
        if error := findings[module].error:
            name = "mmcv's operators do" if module == 'operators' else module
            name += ' not load' if module == 'operators' else ' does not work'
            fix = remedies.repair(module, error)
            problems.setdefault(fix, Problem(f'{name}: {error}', fix))
    return list(problems.values())


def notes_on(
    found: dict[str, list[str]], findings: dict[str, Finding]
) -> list[str]:
    """List problems that only the codebases' own tools have."""
    error = findings['mmseg paths'].error
    if not found['mmseg'] or 'PackageNotFoundError' not in error:
        return []
    return [
        "mmseg's own tools cannot read a base such as 'mmseg::pspnet/...': "
        f'MMEngine does not know {found["mmseg"][0]}. Ours can. Start others '
        'by: python -m mmmgd.compat SCRIPT ...'
    ]


def version_lines(found: dict[str, list[str]]) -> list[str]:
    """List versions, each with the distribution that provides the module."""
    lines = [f'  {"python":12}{platform.python_version()}  {sys.executable}']
    lines.append(f'  {"mmmgd":12}{__version__}')
    for module, names in found.items():
        texts = [f'{metadata.version(name)}  ({name})' for name in names]
        if module != 'mmmgd':
            lines.append(f'  {module:12}{" and ".join(texts) or "-"}')
    return lines


def codebase_line(module: str, finding: Finding, command: str) -> str:
    """Say whether a codebase can be used, and if not, what would help."""
    task = CODEBASES[module]
    if command:
        return f'  no   {task}: {module} is not installed; {command}'
    if finding.error:
        return f'  no   {task}: {module} does not work, see below'
    return f'  yes  {task} ({module})'


def main(argv: list[str]) -> int:
    """Print the report; return 1 if something needed is broken."""
    if argv:
        print(f'doctor takes no arguments, but got {argv}', file=sys.stderr)
        return 2
    found = installed()
    stacks = stacks_of(found)
    remedies = Remedies([*stacks, 'onedl'][0], found)
    findings = probe(list(PROBES))
    problems = diagnose(stacks, found, findings, remedies)
    cuda = findings['cuda'].info or 'none: runs on the CPU'
    operators = findings['operators']
    print('\n'.join(version_lines(found)))
    names = ' and '.join(STACKS[stack] for stack in stacks) or 'none'
    print(f'  {"stack":12}{names}{" mixed" if len(stacks) > 1 else ""}')
    loads = 'do not load' if operators.error else f'load {operators.info}'
    print(f'  {"operators":12}{loads}')
    print(f'  {"CUDA":12}{cuda}\n')
    for module in CODEBASES:
        command = '' if found[module] else remedies.install(module)
        print(codebase_line(module, findings[module], command))
    for problem in problems:
        print(f'\nproblem: {problem.what}\n    fix: {problem.fix}')
    notes = notes_on(found, findings)
    for note in notes:
        print(f'\nnote: {note}')
    if problems:
        print(f'\n{len(problems)} problem(s)')
    else:
        print('\nno problems, see the note' if notes else '\nall is well')
    return int(bool(problems))
