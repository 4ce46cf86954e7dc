"""Pieces of a report as one HTML file that needs nothing else."""

import base64
from collections.abc import Sequence
from html import escape

CSS = """\
:root { --ink: #1c1c1e; --faint: #b5b5bd; --paper: #fff; --box: #f4f4f6; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e8ea; --faint: #55555e; --paper: #161618; --box: #222226; }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1rem; max-width: 78rem;
  font: 16px/1.5 system-ui, sans-serif;
  color: var(--ink); background: var(--paper);
}
h1, h2, p, li { overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.2; }
h2 { font-size: 1.2rem; margin-top: 2.2rem; }
ul.verdicts { padding: 0.8rem 1rem 0.8rem 2rem; background: var(--box); }
.failed { color: #d5533b; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.3rem 0.7rem; text-align: right; white-space: nowrap; }
th { border-bottom: 2px solid var(--faint); font-weight: 600; }
td { border-bottom: 1px solid var(--box); }
th:first-child, td:first-child { text-align: left; }
.figures {
  display: grid; gap: 1rem; align-items: start; margin: 1.2rem 0;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr));
}
figure { margin: 0; padding: 0.5rem; background: var(--box); }
figure svg, figure img { width: 100%; height: auto; display: block; }
figcaption, .small { font-size: 0.85rem; }
"""


def document(title: str, parts: Sequence[str]) -> str:
    """Return a whole page.

    Args:
        title: Its title, as plain text.
        parts: HTML of its body; empty ones are left out.
    """
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        '<link rel="icon" href="data:,">\n'
        f'<title>{escape(title)}</title>\n'
        f'<style>\n{CSS}</style>\n</head>\n<body>\n'
        + '\n'.join(part for part in parts if part)
        + '\n</body>\n</html>\n'
    )


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return a table of plain texts, the first row its head."""

    def line(row: Sequence[str], tag: str) -> str:
        return ''.join(f'<{tag}>{escape(text)}</{tag}>' for text in row)

    head, *body = rows
    inner = ''.join(f'<tr>{line(row, "td")}</tr>\n' for row in body)
    return (
        f'<div class="scroll"><table>\n<thead><tr>{line(head, "th")}</tr>'
        f'</thead>\n<tbody>{inner}</tbody>\n</table></div>'
    )


def figure(inner: str, caption: str) -> str:
    """Return a figure: an SVG or a picture, and what it shows."""
    return (
        f'<figure>{inner}<figcaption>{escape(caption)}</figcaption></figure>'
    )


def picture(content: bytes, kind: str | None, alternative: str) -> str:
    """Return a picture that lies in the page itself.

    Args:
        content: The file's bytes.
        kind: Its media type, 'image/png'.
        alternative: Told to those who cannot see it.
    """
    data = base64.b64encode(content).decode()
    return f'<img alt="{escape(alternative)}" src="data:{kind};base64,{data}">'


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return the same table in Markdown."""
    head, *body = rows
    rule = ['---', *['---:'] * (len(head) - 1)]
    return '\n'.join(f'| {" | ".join(row)} |' for row in [head, rule, *body])
