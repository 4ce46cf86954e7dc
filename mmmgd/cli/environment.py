"""Probe the Python environment in child processes, which may crash.

Nothing heavy is imported here: this must run where torch or MMEngine are
missing. Imports are tried in a child process, so that even a library that
crashes the interpreter only loses its own line of the report.
"""

import json
import re
import subprocess
import sys
import traceback
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

# module -> the distributions that provide it: (OneDL, OpenMMLab, lesser ones).
DISTRIBUTIONS: dict[str, tuple[str, ...]] = {
    'torch': ('torch', 'torch'),
    'torchvision': ('torchvision', 'torchvision'),
    'numpy': ('numpy', 'numpy'),
    'mmengine': ('onedl-mmengine', 'mmengine', 'mmengine-lite'),
    'mmcv': ('onedl-mmcv', 'mmcv', 'mmcv-lite', 'mmcv-full'),
    'mmpretrain': ('onedl-mmpretrain', 'mmpretrain'),
    'mmdet': ('onedl-mmdetection', 'mmdet'),
    'mmseg': ('onedl-mmsegmentation', 'mmsegmentation'),
    'mmrazor': ('mmrazor', 'mmrazor'),
    'mmmgd': ('mmmgd', 'mmmgd'),
}
# An operator is run, not only imported; torch must also find its numpy.
OPERATORS = """
import torch
from mmcv.ops import get_compiling_cuda_version, nms
boxes = torch.tensor([[0., 0, 9, 9], [0, 0, 9, 8], [20, 20, 30, 30]])
devices = ['cpu'] + ['cuda'] * torch.cuda.is_available()
for device in devices:
    kept = nms(boxes.to(device), torch.ones(3).to(device), 0.5)[1]
    assert len(kept) == 2, f'wrong result on {device}'
info = 'on ' + ' and '.join(devices)
"""
CUDA = """
import torch
count = torch.cuda.device_count() if torch.cuda.is_available() else 0
info = ', '.join(torch.cuda.get_device_name(i) for i in range(count))
"""
# What MMEngine asks before it reads a base; mmmgd.compat, below, mends it.
MMSEG_PATHS = """
from importlib.metadata import distribution
from mmengine.config.utils import MODULE2PACKAGE
distribution(MODULE2PACKAGE['mmseg'])
"""
PROBES = {
    'torch': 'import torch',
    'cuda': CUDA,
    'numpy': 'import torch; torch.zeros(1).numpy()',
    'torchvision': 'import torchvision.ops',
    'mmengine': 'import mmengine.runner',
    'mmcv': 'import mmcv',
    'operators': OPERATORS,
    'mmpretrain': 'import mmpretrain.models, mmpretrain.datasets',
    'mmdet': 'import mmdet.models, mmdet.datasets',
    'mmseg': 'import mmseg.models, mmseg.datasets',
    'mmseg paths': MMSEG_PATHS,
    'mmrazor': 'import mmmgd.compat, mmrazor.models',
}
MARK = '@@mmmgd-probe '


class Finding(NamedTuple):
    """Result of a probe: the error ('' if it worked) and what it learned."""

    error: str
    info: str = ''


def run_probes(names: list[str]) -> None:
    """Run probes in this process, printing a line before and after each."""
    for name in names:
        print(f'\n{MARK}{json.dumps([name, None])}', flush=True)
        scope: dict[str, str] = {'__name__': 'probe'}
        error = ''
        try:
            exec(PROBES[name], scope)  # noqa: S102  (text of this file)
        except BaseException as exc:  # even SystemExit is only a finding
            error = traceback.format_exception_only(exc)[-1].strip()
        found = [name, [error[:300], scope.get('info', '')]]
        print(f'\n{MARK}{json.dumps(found)}', flush=True)


def probe(names: list[str]) -> dict[str, Finding]:
    """Run probes in child processes; report a crash as a finding."""
    findings: dict[str, Finding] = {}
    code = 'import sys; from mmmgd.cli.environment import run_probes as run; '
    code += 'run(sys.argv[1:])'
    while left := [name for name in names if name not in findings]:
        done = subprocess.run(
            [sys.executable, '-c', code, *left],
            capture_output=True,
            encoding='utf-8',
            errors='replace',
        )
        started = left[0]
        for line in done.stdout.splitlines():
            if line.startswith(MARK):
                started, result = json.loads(line[len(MARK) :])
                if result:
                    findings[started] = Finding(*result)
        said = (done.stderr.strip().splitlines() or [''])[-1][:300]
        crash = f'the import ends Python (status {done.returncode}) {said}'
        findings.setdefault(started, Finding(crash.strip()))
    return findings


def installed() -> dict[str, list[str]]:
    """Map each module to the distributions that provide it here."""
    names = {
        (dist.metadata['Name'] or '').lower().replace('_', '-')
        for dist in metadata.distributions()
    }
    return {
        module: [n for n in dict.fromkeys(candidates) if n in names]
        for module, candidates in DISTRIBUTIONS.items()
    }


def stacks_of(found: dict[str, list[str]]) -> list[str]:
    """List the stacks found here, the one with more distributions first."""
    shared = {c[0] for c in DISTRIBUTIONS.values() if c[0] == c[1]}
    own = {name for names in found.values() for name in names} - shared
    count = Counter(
        'onedl' if name.startswith('onedl-') else 'openmmlab' for name in own
    )
    return [stack for stack, _ in count.most_common()]


def pins_of(extra: str) -> dict[str, str]:
    """Map distribution names to the requirements of one of our extras.

    They are read from the checkout if there is one, else from what pip
    recorded when mmmgd was installed.
    """
    folder = Path(__file__).resolve().parents[2] / 'requirements'
    if folder.is_dir():
        names = [folder / f'{extra}.txt', *folder.glob(f'{extra}-*.txt')]
        text = '\n'.join(p.read_text('utf-8') for p in names if p.exists())
        lines = [line.partition('#')[0].strip() for line in text.split('\n')]
    else:
        recorded = metadata.requires('mmmgd') or []
        marker = re.compile(rf'extra == .{extra}[\'"]')
        lines = [r.partition(';')[0] for r in recorded if marker.search(r)]
    pins = [line.strip() for line in lines if line.strip()]
    return {re.split(r'[^\w.-]', pin)[0]: pin for pin in pins}
