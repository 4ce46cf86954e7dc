"""What MkDocs needs to show files of the whole project, where they are.

The pages of ``docs/`` link to the README, to configs and to code, so that
they read well on GitHub. Here each linked file outside ``docs/`` becomes a
page: Markdown as it is, everything else as a listing. A notebook becomes a
page of its cells. A folder in the navigation stands for all of its pages, so
results of studies need no entry; the page of one leads to its report.
"""

import json
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

from docs_links import links, local, relink, resolve

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
# Where the site has the documents that lie outside of docs/.
PLACES = {
    'README.md': 'index.md',
    'configs/README.md': 'recipes.md',
    'CONTRIBUTING.md': 'contributing.md',
    'CHANGELOG.md': 'changelog.md',
}
SOURCES = {place: path for path, place in PLACES.items()}
LANGUAGES = {'.py': 'python', '.sh': 'shell', '.yml': 'yaml'}


def place(path: str) -> str:
    """Return where the site has a file of the project."""
    if path.startswith('docs/'):
        return re.sub(r'\.ipynb$', '.md', path[len('docs/') :])
    if path in PLACES:
        return PLACES[path]
    return f'files/{path}' if path.endswith('.md') else f'files/{path}.md'


def source(page: str) -> str:
    """Return the file of the project that a page of the site shows."""
    if page.startswith('files/'):
        path = page[len('files/') :]
        return path if (ROOT / path).exists() else path.removesuffix('.md')
    notebook = f'docs/{page.removesuffix(".md")}.ipynb'
    if (ROOT / notebook).exists():
        return notebook
    return SOURCES.get(page, f'docs/{page}')


def outside(page: str) -> set[str]:
    """Return the files outside of docs/ that a Markdown file links to."""
    targets = filter(local, links(content(page)))
    found = {resolve(page, target)[0] for target in targets}
    return {path for path in found if not path.startswith('docs/')}


def linked(pages: set[str]) -> set[str]:
    """Return all files outside of docs/ that are linked, from any of them."""
    new, seen = set(pages), set(pages)
    while new:
        text = {page for page in new if page.endswith(('.md', '.ipynb'))}
        new = set().union(*map(outside, text)) - seen
        seen |= new
    return {path for path in seen if not path.startswith('docs/')}


def report(page: str) -> str:
    """Return where the site has the plots of a study, or '' without any."""
    stem = page.removesuffix('.md')
    there = (
        page.startswith('studies/') and (ROOT / f'docs/{stem}.html').exists()
    )
    return f'{stem}-report.html' if there else ''


def content(path: str) -> str:
    """Return the page of a file: Markdown, cells of a notebook, a listing."""
    text = (ROOT / path).read_text('utf-8')
    if path.endswith('.md'):
        return text
    if path.endswith('.ipynb'):
        return '\n\n'.join(map(_cell, json.loads(text)['cells'])) + '\n'
    language = LANGUAGES.get(Path(path).suffix, 'text')
    return f'# {path}\n\n````{language}\n{text}````\n'


def _cell(cell: dict) -> str:
    text = ''.join(cell['source'])
    if cell['cell_type'] == 'markdown':
        return text
    magic, _, rest = text.partition('\n')
    if magic == '%%bash':
        return f'```shell\n{rest}\n```'
    return f'```python\n{text}\n```'


def on_config(config: 'MkDocsConfig') -> None:
    """Put the pages of a folder where the navigation names the folder."""
    found = [_expand(entry) for entry in config.nav or []]
    config.nav = [entry for entry in found if any(entry.values())]


def _expand(entry: dict) -> dict:
    ((title, path),) = entry.items()
    if not path.endswith('/'):
        return entry
    docs = ROOT / 'docs'
    files = [*(docs / path).rglob('*.md'), *(docs / path).rglob('*.ipynb')]
    files.sort(key=lambda file: (file.name != 'README.md', file))
    return {title: [place(str(file.relative_to(ROOT))) for file in files]}


def on_files(files: 'Files', config: 'MkDocsConfig') -> None:
    """Add a page for each notebook, and each file linked outside of docs/."""
    from mkdocs.structure.files import File, InclusionLevel

    notebooks = {
        f'docs/{file.src_uri}'
        for file in files
        if file.src_uri[-6:] == '.ipynb'
    }
    docs = {f'docs/{file.src_uri}' for file in files.documentation_pages()}
    for page in filter(report, [path[len('docs/') :] for path in docs]):
        plots = ROOT / f'docs/{page.removesuffix(".md")}.html'
        text = plots.read_text('utf-8')
        file = File.generated(config, report(page), content=text)
        file.inclusion = InclusionLevel.INCLUDED
        files.append(file)
    pages = linked(docs | notebooks | set(SOURCES.values()))
    for path in sorted(pages | notebooks):
        file = File.generated(config, place(path), content=content(path))
        if path not in PLACES and path not in notebooks:
            file.inclusion = InclusionLevel.NOT_IN_NAV
        files.append(file)


def on_page_markdown(
    markdown: str, page: 'Page', config: 'MkDocsConfig', files: 'Files'
) -> str:
    """Let the links of a page lead to where the site has their files."""
    here = page.file.src_uri

    def change(target: str) -> str:
        if not local(target):
            return target
        path, anchor = resolve(source(here), target)
        to = posixpath.relpath(place(path), posixpath.dirname(here) or '.')
        return f'{to}#{anchor}' if anchor else to

    markdown = relink(markdown, change)
    plots = posixpath.basename(report(here))
    if plots:
        markdown += f'\n\n[The same with plots]({plots})\n'
    return markdown


def on_page_content(
    html: str, page: 'Page', config: 'MkDocsConfig', files: 'Files'
) -> str:
    """Show ``:class:`X``` of a docstring as X."""
    return re.sub(r':(?:class|func|meth|mod|attr|data):(?=<)', '', html)
