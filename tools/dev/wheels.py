"""Find an mmcv that somebody has compiled already.

OneDL publishes wheels for one torch and one Python, on a page of its own. It
is asked once, for a few seconds: behind a closed network the set-up goes on
and compiles.
"""

import os
import platform
import re
import shutil
import subprocess
import threading
from html.parser import HTMLParser
from pathlib import Path
from typing import Optional
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import urlopen

PAGE = 'https://mmwheels.onedl.ai/{}-torch2100/simple/onedl-mmcv/index.html'
CUDA = 'cu129'  # the only one for which there are wheels
PYTHON = (3, 12)  # and the only Python
TORCH = re.compile(r'torch-?2\.?10')
SECONDS = 5.0


def default_page() -> str:
    """Return the page for this machine, with a GPU or without.

    ``FORCE_CUDA=1`` is how mmcv is told of a GPU that is not here yet.
    """
    gpu = os.environ.get('FORCE_CUDA') == '1' or shutil.which('nvidia-smi')
    return PAGE.format(CUDA if gpu else 'cpu')


def find_wheel(page: str, pin: str) -> str:
    """Return the address of a wheel that fits, or ''.

    Args:
        page: Address of a page with links, or a folder.
        pin: What is wanted: 'onedl-mmcv==2.3.6'.
    """
    for link in links_of(page):
        if fits(link, pin):
            return link
    return ''


def fits(link: str, pin: str) -> bool:
    """Tell whether a file is the wheel for `pin`, our Python and torch."""
    torch = re.findall(r'torch-?[\d.]+', unquote(link))
    if torch and not any(TORCH.match(name) for name in torch):
        return False
    words = unquote(urlsplit(link).path).split('/')[-1].split('-')
    if len(words) < 5 or not words[-1].endswith('.whl'):
        return False
    name, version = words[0].replace('_', '-').lower(), words[1].split('+')[0]
    system = words[-1][: -len('.whl')]
    return (
        f'{name}=={version}' == pin
        and 'cp{}{}'.format(*PYTHON) in words[-3].split('.')
        and system.startswith(('linux', 'manylinux'))
        and system.endswith(platform.machine())
    )


def links_of(page: str) -> list:
    """List the addresses on a page, or the files of a folder.

    One that cannot be had within a few seconds has none.
    """
    if '://' not in page:
        folder = Path(page).expanduser()
        return [str(p.resolve()) for p in sorted(folder.glob('*.whl'))]
    found = []  # type: list
    # A thread, for no timeout of a socket limits the look-up of a name.
    thread = threading.Thread(target=_read, args=(page, found), daemon=True)
    thread.start()
    thread.join(SECONDS)
    return list(found)


def _read(page: str, found: list) -> None:
    """Append the addresses on a page to `found`."""
    try:
        with urlopen(page, timeout=SECONDS) as answer:  # noqa: S310
            text = answer.read().decode('utf-8', 'replace')
    except (OSError, ValueError):
        return
    parser = _Links()
    parser.feed(text)
    found.extend(urljoin(page, link) for link in parser.links)


class _Links(HTMLParser):
    """Collects what the links of a page lead to."""

    def __init__(self) -> None:
        super().__init__()
        self.links = []  # type: list

    def handle_starttag(self, tag: str, attrs: list) -> None:
        """Note the target of a link."""
        self.links += [v for k, v in attrs if (tag, k) == ('a', 'href') and v]


def find_python(path: Optional[str] = None) -> str:
    """Return a Python of the version that wheels are for, or ''.

    It must run (a version manager's name may not) and make environments.
    """
    name = 'python{}.{}'.format(*PYTHON)
    found = shutil.which(name, path=path or os.environ.get('PATH', ''))
    if not found:
        return ''
    status = subprocess.call(
        [found, '-c', 'import ensurepip, venv'],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return '' if status else found
