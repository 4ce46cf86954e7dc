"""What docs/studies/ says comes from its lines, and from nothing else."""

import re
import sys
import warnings
from html import escape
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / 'tools'))

from study import identity, lines  # noqa: E402
from study.embed import embed  # noqa: E402
from study.reading import read_study  # noqa: E402
from study.summary import cells, summarize  # noqa: E402
from study.table import tables  # noqa: E402

from mmmgd.config import is_distilled  # noqa: E402

STUDIES = sorted((ROOT / 'docs' / 'studies').glob('*/*.yaml'))
NAMES = [str(p.relative_to(ROOT / 'docs' / 'studies')) for p in STUDIES]


@pytest.fixture(params=STUDIES, ids=NAMES)
def study(request):
    return read_study(request.param)


def test_each_cell_has_settings_of_its_own(study, monkeypatch):
    """Each override fits its config, and each method differs from others."""
    monkeypatch.chdir(ROOT)
    failures, seen = {}, {}
    for cell in study.cells(failures):
        if cell.seed == study.seeds[0]:
            _, settings = identity.settings(cell)
            assert seen.setdefault(settings, cell.name) == cell.name
    assert failures == {}


def test_each_model_learns_from_a_teacher_of_its_study(study, monkeypatch):
    monkeypatch.chdir(ROOT)
    files = {str(file) for one in study.rounds() for _, file in one}
    for cell in study.cells({}):
        if cell.seed == study.seeds[0]:
            cfg, _ = identity.settings(cell)
            assert set(identity._checkpoints(cfg.model)) <= files
            if is_distilled(cfg):
                assert cfg.model.teacher.checkpoint in files


def test_the_summary_is_what_the_lines_say(study):
    file = study.file.with_suffix('.md')
    if not study.lines.is_file():
        assert not file.exists()
        return
    with warnings.catch_warnings():
        warnings.simplefilter('error')  # a half-written line
        assert file.read_text('utf-8') == summarize(study, {})


def test_the_report_has_the_tables_of_the_summary(study):
    file = study.file.with_suffix('.html')
    if not study.lines.is_file():
        assert not file.exists()
        return
    text = file.read_text('utf-8')
    for table in tables(study, lines.results(study)):
        for row in cells(study, table):
            inner = ''.join(
                f'<t[dh]>{re.escape(escape(c))}</t[dh]>' for c in row
            )
            assert re.search(inner, text), row


def test_each_line_is_of_its_study(study):
    before = {n for task in study.tasks.values() for n, _ in task.before()}
    for line in lines.read(study.lines):
        assert line['task'] in study.tasks
        assert line['method'] in before | {*study.methods}
        assert line['split'] == study.split or line['method'] in before


@pytest.mark.parametrize(
    'path',
    [*ROOT.glob('*.md'), *ROOT.glob('docs/**/*.md')],
    ids=lambda path: path.name,
)
def test_tables_of_studies_in_documents_are_fresh(path):
    text = path.read_text('utf-8')
    assert embed(text, ROOT) == text
