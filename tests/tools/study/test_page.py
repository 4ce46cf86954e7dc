"""The report: complete, self-contained, at home on a phone and in the dark."""

import re
import shutil
import subprocess
from collections import Counter
from html import escape
from html.parser import HTMLParser

import pytest
from study import lines
from study.curves import mean_curve, steps_to
from study.page import page
from study.reading import read_study
from study.summary import cells
from study.table import tables
from test_summary import STUDY, all_lines, line

CHROMIUM = shutil.which('chromium') or shutil.which('google-chrome')
SWEPT = """
  swept:
    title: swept
    config: d.py
    sweep: {a.loss_weight: [1e-4, 1e-2]}
claims: [[mgd, alone], [mgd, mimic]]
pictures: {p.png: what is seen}
"""
PNG = bytes.fromhex(
    '89504e470d0a1a0a0000000d4948445200000001000000010806000000'
    '1f15c4890000000d49444154789c6360606060000000050001a5f64540'
    '0000000049454e44ae426082'
)


@pytest.fixture
def study(tmp_path):
    (tmp_path / 'study.yaml').write_text(STUDY + SWEPT)
    (tmp_path / 'p.png').write_bytes(PNG)
    study = read_study(tmp_path / 'study.yaml')
    curve = {'step': [10, 20], 'value': [80.0, 90.0]}
    swept = [
        line('swept', seed, 88 + x + seed, point={'loss_weight': x})
        for x in (1e-4, 1e-2)
        for seed in range(3)
    ]
    for entry in [*all_lines(), *swept]:
        more = {'curve': curve, 'cpu_seconds': 120.0}
        lines.append(study.lines, {**entry, **more})
    return study


class Reader(HTMLParser):
    """Collects identifiers, and what the page would load."""

    def __init__(self):
        super().__init__()
        self.ids, self.loads, self.text = Counter(), [], ''

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == 'id':
                self.ids[value] += 1
            if name in ('src', 'href', 'xlink:href'):
                self.loads.append(value)
        assert tag != 'script'

    def handle_data(self, data):
        self.text += data


def _read(text):
    reader = Reader()
    reader.feed(text)
    return reader


def test_every_cell_of_the_tables_is_there(study):
    text = page(study, {})
    for table in tables(study, lines.read(study.lines)):
        for row in cells(study, table):
            inner = ''.join(
                f'<t[dh]>{re.escape(escape(c))}</t[dh]>' for c in row
            )
            assert re.search(inner, text), row


def test_a_claim_without_its_baseline_is_said_to_be_open(study):
    """As after a study of which only some methods have run."""
    found = lines.read(study.lines)
    study.lines.unlink()
    for one in found:
        if one['method'] == 'mgd':
            lines.append(study.lines, one)
    assert page(study, {}).count('<strong>not measured yet</strong>') == 2


def test_nothing_is_loaded_from_elsewhere(study):
    text = page(study, {})
    reader = _read(text)
    assert all(x.startswith(('data:', '#')) for x in reader.loads)
    assert 'url(h' not in text
    assert '@import' not in text
    assert max(reader.ids.values()) == 1  # figures share no clip path


def test_figures_follow_the_colours_of_the_page(study):
    text = page(study, {})
    assert text.count('<svg role="img" aria-label="') == 3
    assert 'var(--ink)' in text
    assert '#010203' not in text
    assert 'prefers-color-scheme: dark' in text


def test_what_is_swept_by_name_is_a_row_and_no_curve(study):
    text = page(study, {})
    for name in ('linear', 'conv3x3x2'):
        point = {'generator': name}
        lines.append(study.lines, line('swept', 0, 88.0, point=point))
    more = page(study, {})
    assert '<td>swept, generator linear</td>' in more
    assert more.count('<svg role="img"') == text.count('<svg role="img"')


def test_hopes_and_failures_are_on_the_first_screen(study):
    text = page(study, {'digits/x/seed-1': 'loss is <nan>'})
    head = text[: text.index('<h2>')]
    assert 'MGD &gt; student alone: <strong>' in head
    assert 'failed: digits/x/seed-1: loss is &lt;nan&gt;' in head
    assert '24 of 30 cells have run' in head


def test_hopes_that_did_not_come_true_are_said(study):
    study.lines.write_text('')
    for entry in all_lines():
        worse = entry['method'] == 'mgd'
        entry['value'] -= 5 if worse else 0
        lines.append(study.lines, entry)
    assert 'student alone: <strong>no, the contrary</strong>' in page(
        study, {}
    )


@pytest.mark.parametrize(
    ('target', 'steps'), [(70.0, 10.0), (85.0, 15.0), (90.0, 20.0), (91, None)]
)
def test_steps_to_a_value_are_read_off_the_curve(target, steps):
    assert steps_to([10, 20], [80.0, 90.0], target) == steps


def test_a_validation_without_its_step_is_no_point_of_the_curve(study):
    curve = {'step': [0, 7], 'value': [1.0, 2.0]}
    (table,) = tables(study, [line('mgd', 0, 90.0, curve=curve)])
    steps, values = mean_curve(table.rows[0])
    assert (steps.tolist(), values.tolist()) == ([7], [[2.0]])


@pytest.mark.skipif(CHROMIUM is None, reason='no chromium here')
@pytest.mark.slow
@pytest.mark.parametrize('width', [400, 1400])
def test_chromium_shows_it_without_errors(study, tmp_path, width):
    measure = (
        '<script>document.body.dataset.w = [innerWidth, '
        'document.documentElement.scrollWidth].join("/")</script></body>'
    )
    file = tmp_path / 'page.html'
    text = page(study, {}).replace('</body>', measure)
    # A frame has any width; a window of Chromium's is 500 wide or more.
    file.write_text(text)
    frame = tmp_path / 'frame.html'
    frame.write_text(
        f'<iframe id="f" src="page.html" width="{width}" height="900">'
        '</iframe><script>onload = () => document.body.dataset.seen = '
        'f.contentDocument.body.dataset.w</script>'
    )
    done = subprocess.run(
        [
            CHROMIUM,
            '--headless',
            '--no-sandbox',
            '--disable-gpu',
            '--allow-file-access-from-files',
            '--enable-logging=stderr',
            f'--user-data-dir={tmp_path / "profile"}',
            '--dump-dom',
            frame.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert 'CONSOLE' not in done.stderr
    assert 'net::ERR' not in done.stderr
    seen = re.search(r'data-seen="(\d+)/(\d+)"', done.stdout)
    inner, scroll = map(int, seen.groups())
    assert inner == width
    assert scroll <= width  # nothing has to be pushed sideways
