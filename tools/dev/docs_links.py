"""Links, headings and code blocks of Markdown files, as GitHub reads them."""

import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import Path

FENCE = re.compile(r'^( *)(`{3,}|~{3,})(.*?)\n(.*?)^\1\2 *$', re.M | re.S)
CODE = re.compile(r'(`+)(?!`).+?(?<!`)\1(?!`)', re.S)
LINK = re.compile(r'(\]\(\s*)([^)\s]+)(\s*\))')
HEADING = re.compile(r'^(#{1,6}) +(.*?) *#*$', re.M)


def blocks(text: str) -> list[tuple[str, str]]:
    """Return each fenced code block as its language and its text."""
    return [(m[3].strip(), _dedent(m)) for m in FENCE.finditer(text)]


def _dedent(block: re.Match) -> str:
    indent = len(block[1])
    lines = block[4].splitlines(keepends=True)
    return ''.join(line[indent:] if line.strip() else line for line in lines)


def links(text: str) -> list[str]:
    """Return the targets of the links and pictures that are not in code."""
    found: list[str] = []

    def note(target: str) -> str:
        found.append(target)
        return target

    relink(text, note)
    return found


def relink(text: str, change: Callable[[str], str]) -> str:
    """Replace the target of each link and picture that is not in code."""

    def one(link: re.Match) -> str:
        return link[1] + change(link[2]) + link[3]

    spans = [m.span() for m in FENCE.finditer(text)]
    spans += [m.span() for m in CODE.finditer(FENCE.sub(_blank, text))]
    parts, end = [], 0
    for start, stop in sorted(spans):
        parts += [LINK.sub(one, text[end:start]), text[start:stop]]
        end = stop
    # The text of a link may hold code: put together, then changed outside it.
    return ''.join([*parts, LINK.sub(one, text[end:])])


def _blank(block: re.Match) -> str:
    return re.sub(r'[^\n]', ' ', block[0])


def anchors(text: str) -> Iterator[str]:
    """Give the anchor of each heading, as GitHub names it."""
    seen: dict[str, int] = {}
    for match in HEADING.finditer(FENCE.sub(_blank, text)):
        title = re.sub(r'\[([^]]*)\]\([^)]*\)', r'\1', match[2])
        words = re.sub(r'[^\w\- ]', '', title.lower()).replace(' ', '-')
        count = seen.get(words, -1) + 1
        seen[words] = count
        yield f'{words}-{count}' if count else words


def local(target: str) -> bool:
    """Tell whether a link stays within the project."""
    return '://' not in target and not target.startswith('mailto:')


def resolve(page: str, target: str) -> tuple[str, str]:
    """Return the file that a link of a page leads to, and the anchor there.

    Args:
        page: The page's path from the root of the project.
        target: As written in the page, relative to its folder.
    """
    path, _, anchor = target.partition('#')
    if not path:
        return page, anchor
    joined = posixpath.join(posixpath.dirname(page), path)
    return posixpath.normpath(joined), anchor


def broken(root: Path, page: str) -> Iterator[str]:
    """Give the links of a page that lead nowhere."""
    text = (root / page).read_text('utf-8')
    for target in filter(local, links(text)):
        file, anchor = resolve(page, target)
        path = root / file
        if not path.exists():
            yield f'{page}: {target}: there is no {file}'
        elif anchor and path.suffix == '.md':
            names = list(anchors(path.read_text('utf-8')))
            if anchor not in names:
                yield f'{page}: {target}: {file} has {", ".join(names)}'
