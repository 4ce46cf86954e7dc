"""The built site in a browser: at the width of a phone, and of a desk."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from functools import partial
from html import unescape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BROWSERS = ('chromium', 'chromium-browser', 'google-chrome')
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not find_spec('mkdocs') or not find_spec('mkdocstrings'),
        reason='needs requirements/docs.txt',
    ),
]

# Opens each page in a frame of a given width, one after the other, and says
# what sticks out of it.
LOOK = """<!doctype html><link rel="icon" href="data:,"><body><script>
const pages = %s, width = %d, found = [];
function wide(doc) {
  return [...doc.querySelectorAll('article *')].filter(x => {
    if (x.getBoundingClientRect().right <= width + 1) return false;
    for (let p = x; p.tagName != 'ARTICLE'; p = p.parentElement)
      if (/auto|scroll/.test(getComputedStyle(p).overflowX))
        return false;
    return true;
  }).map(x => x.outerHTML.slice(0, 120));
}
async function look(page) {
  const frame = document.createElement('iframe');
  frame.style.width = width + 'px'; frame.style.height = '900px';
  frame.src = page; document.body.append(frame);
  await new Promise(done => frame.onload = done);
  await new Promise(done => setTimeout(done, 50));
  const doc = frame.contentDocument, root = doc.documentElement;
  found.push({page, title: doc.title, over: root.scrollWidth - width,
    wide: wide(doc), words: doc.body.innerText.length});
  frame.remove();
}
(async () => { for (const page of pages) await look(page);
  document.body.innerHTML = ''; document.title = 'done';
  const out = document.createElement('pre');
  out.id = 'found'; out.textContent = JSON.stringify(found);
  document.body.append(out); })();
</script>"""


# One that does not fit, to see that this is noticed.
WIDE = """<!doctype html><title>wide</title><link rel="icon" href="data:,">
<article><p style="width: 9999px">wide</p></article>"""


class Server(SimpleHTTPRequestHandler):
    """Serves the site and remembers what was not there."""

    missing: list = []  # noqa: RUF012  (one server a process)

    def log_message(self, form, *args):
        pass

    def send_error(self, code, *args, **kw):
        self.missing.append(self.path)
        super().send_error(code, *args, **kw)


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    """Build the site; warnings are errors."""
    out = tmp_path_factory.mktemp('site')
    done = subprocess.run(
        [sys.executable, '-m', 'mkdocs', 'build', '--strict', '-d', out],
        cwd=ROOT,
        env=os.environ | {'NO_MKDOCS_2_WARNING': '1'},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return out


def test_it_builds_without_a_warning_and_has_the_pages(site):
    for name in ('index', 'faq', 'concepts', 'recipes', 'settings', 'zh_cn'):
        assert (site / f'{name}.html').is_file()
    text = (site / 'api/models.html').read_text('utf-8')
    assert 'MGDDistill' in text


def test_each_name_of_the_package_is_in_the_api(site):
    import mmmgd
    from mmmgd import functional, hooks

    text = ''.join(x.read_text('utf-8') for x in site.glob('api/*.html'))
    ids = {x.rpartition('.')[2] for x in re.findall(r'id="([\w.]+)"', text)}
    names = {*mmmgd.__all__, *hooks.__all__, *functional.__all__}
    constants = {'__version__', 'MASKS', 'MASK_DIMS'}
    assert names - ids - constants == set()


def test_nothing_is_fetched_from_elsewhere(site):
    tag = re.compile(r'<(?:script|link|img|iframe|source)\b[^>]*')
    for page in site.rglob('*.html'):
        for found in tag.findall(page.read_text('utf-8')):
            address = re.search(r'(?:src|href)="(?:https?:)?//[^"]*', found)
            assert not address, f'{page.name}: {found}'
    for style in site.rglob('*.css'):
        assert not re.search(r'url\(["\']?(?:https?:)?//', style.read_text())


@pytest.mark.skipif(not BROWSER, reason='needs chromium')
@pytest.mark.parametrize('width', [360, 400, 1400])
def test_pages_open_without_errors_and_fit(site, width, tmp_path):
    pages = sorted(
        str(page.relative_to(site))
        for page in site.rglob('*.html')
        if page.name != '404.html' and not page.name.startswith('look')
    )
    looked = json.dumps([*pages, 'look-wide.html'])
    (site / 'look.html').write_text(LOOK % (looked, width))
    (site / 'look-wide.html').write_text(WIDE)
    Server.missing.clear()
    handler = partial(Server, directory=str(site))
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f'http://127.0.0.1:{server.server_port}/look.html'
        html, log = browse(address, tmp_path)
        server.shutdown()
    found = json.loads(re.search(r'id="found">(.*?)</pre>', html, re.S)[1])
    assert found.pop()['wide']
    assert [x['page'] for x in found] == pages
    for page in found:
        assert page['over'] <= 0, page
        assert page['wide'] == [], page
        assert page['words'] > 100, page
    assert Server.missing == []
    console = re.findall(r'.*CONSOLE.*', log)
    assert console == []


def browse(address, profile):
    """Open a page; return its document when it is done, and the log."""
    done = subprocess.run(
        [
            *(BROWSER, '--headless', '--no-sandbox', '--disable-gpu'),
            *('--enable-logging=stderr', f'--user-data-dir={profile}'),
            # What is not here is nowhere: a page that asks for it, says so.
            '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
            *('--virtual-time-budget=120000', '--window-size=1500,1000'),
            *('--dump-dom', address),
        ],
        capture_output=True,
        text=True,
        timeout=300,
    )
    return unescape(done.stdout), done.stderr
