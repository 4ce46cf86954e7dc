"""Links, headings and lists of the documents, without the site's tools."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / 'tools/dev'))

import docs_hook  # noqa: E402
import docs_links  # noqa: E402

PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in [
        *ROOT.glob('*.md'),
        *ROOT.glob('docs/**/*.md'),
        *ROOT.glob('configs/**/*.md'),
    ]
)


@pytest.mark.parametrize('page', PAGES)
def test_local_links_lead_somewhere(page):
    assert list(docs_links.broken(ROOT, page)) == []


@pytest.mark.parametrize('page', PAGES)
def test_lists_are_lists_for_either_reader(page):
    """Python-Markdown wants a blank line before a list, GitHub does not."""
    text = docs_links.FENCE.sub('', (ROOT / page).read_text('utf-8'))
    assert not re.findall(r'^[^\s#>|<*-].*:\n(?:[-*]|1\.) .*', text, re.M)
    assert not re.findall(r'^ {1,3}[-*] .*', text, re.M)


def test_a_link_to_nothing_is_found(tmp_path):
    (tmp_path / 'a.md').write_text(
        '# One\n[x](b.md) [y](#one) [z](#two) `[c](no.md)` [`d`](c.md)\n'
        '```\n[e](no.md)\n# Two\n```\n'
    )
    found = [x.split(': ')[1] for x in docs_links.broken(tmp_path, 'a.md')]
    assert found == ['b.md', '#two', 'c.md']


def test_anchors_are_those_of_github():
    text = '# A `b(c=)`, d & [e](f)\n## 中文 x\n## 中文 x\n# λ × 2\n'
    assert list(docs_links.anchors(text)) == [
        'a-bc-d--e',
        '中文-x',
        '中文-x-1',
        'λ--2',
    ]


def test_two_clicks_to_install_my_task_my_data_and_my_error():
    text = (ROOT / 'README.md').read_text('utf-8')
    rows = dict(
        re.findall(
            r'^\| [\w *]*(install it|my task|my data|my error)'
            r'[^|]* \| (.+) \|$',
            text,
            re.M,
        )
    )
    targets = {word: docs_links.links(row) for word, row in rows.items()}
    assert {'#use-it', '#set-up'} <= {*targets['install it']}
    assert len(targets['my task']) == 3  # detection has instances, too
    assert all(x.startswith('configs/') for x in targets['my task'])
    tutorials = {
        str(path.relative_to(ROOT))
        for path in (ROOT / 'docs/tutorials').iterdir()
    }
    assert tutorials <= {*targets['my data']}
    assert targets['my error'] == ['docs/faq.md']
    faq = (ROOT / 'docs/faq.md').read_text('utf-8')
    top = docs_links.links(faq[: faq.index('\n## ')])
    numbered = [x for x in docs_links.anchors(faq) if x[0].isdigit()]
    assert {f'#{name}' for name in numbered} <= {*top}


def test_every_document_of_the_project_has_a_place_on_the_site():
    text = (ROOT / 'mkdocs.yml').read_text('utf-8')
    nav = text[text.index('\nnav:') :]
    named = set(re.findall(r'[\w./-]+\.md', nav))
    folders = tuple(re.findall(r'([\w-]+/)$', nav, re.M))
    missing = [
        page
        for page in map(docs_hook.place, PAGES)
        if page not in named and not page.startswith((*folders, 'files/'))
    ]
    assert missing == [], 'name them under `nav` in mkdocs.yml'


@pytest.mark.parametrize('page', sorted(docs_hook.PLACES))
def test_a_place_leads_back_to_its_file(page):
    assert docs_hook.source(docs_hook.place(page)) == page


def test_code_that_is_linked_becomes_a_page():
    found = docs_hook.linked({'docs/architecture.md'})
    assert 'mmmgd/models/distill.py' in found
    assert docs_hook.place('mmmgd/x.py') == 'files/mmmgd/x.py.md'
    assert docs_hook.source('files/mmmgd/rng.py.md') == 'mmmgd/rng.py'
    assert '\n````python\n' in docs_hook.content('mmmgd/rng.py')


def test_a_notebook_becomes_a_page_of_its_cells():
    path = 'docs/tutorials/quickstart.ipynb'
    assert docs_hook.place(path) == 'tutorials/quickstart.md'
    assert docs_hook.source('tutorials/quickstart.md') == path
    text = docs_hook.content(path)
    assert text.startswith('# Quick start')
    assert '\n```shell\nset -e\npython -m mmmgd new ' in text
    targets = docs_links.links(text)
    assert targets
    for target in targets:
        assert (ROOT / docs_links.resolve(path, target)[0]).exists()


def test_the_summary_of_a_study_needs_no_entry(tmp_path, monkeypatch):
    """None of them has results today; one that has gets a page by itself."""
    monkeypatch.setattr(docs_hook, 'ROOT', tmp_path)
    site = SimpleNamespace(nav=[{'Studies': 'studies/'}, {'Empty': 'none/'}])
    (tmp_path / 'docs/studies/mask').mkdir(parents=True)
    for name in ('studies/README.md', 'studies/mask/study.md'):
        (tmp_path / 'docs' / name).write_text('# A study\n')
    (tmp_path / 'docs/studies/mask/study.yaml').write_text('question: why\n')
    docs_hook.on_config(site)
    assert docs_hook.report('studies/mask/study.md') == ''
    (tmp_path / 'docs/studies/mask/study.html').write_text('<html>')
    # Not the name of the page, which the report has beside it.
    plots = docs_hook.report('studies/mask/study.md')
    assert plots == 'studies/mask/study-report.html'
    assert site.nav == [
        {'Studies': ['studies/README.md', 'studies/mask/study.md']}
    ]
