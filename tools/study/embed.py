"""Insert a study's tables, made from its lines, into other documents."""

import re
from pathlib import Path

from .lines import results
from .reading import read_study
from .summary import markdown
from .table import tables

# <!-- study FILE TASK --> … <!-- /study -->
BLOCK = re.compile(
    r'(<!-- study (?P<file>\S+) (?P<task>\S+) -->\n).*?(<!-- /study -->)',
    re.DOTALL,
)


def embed(text: str, root: Path) -> str:
    """Return a document with its tables regenerated from the lines.

    Args:
        text: Markdown, in which ``<!-- study FILE TASK -->`` and
            ``<!-- /study -->`` enclose each table.
        root: The folder that files are relative to.

    Raises:
        ValueError: If a study has no results for a task.
    """

    def table_of(match: re.Match) -> str:
        study = read_study(root / match['file'])
        for table in tables(study, results(study)):
            if table.task == match['task']:
                return f'{match[1]}{markdown(study, table)}\n{match[4]}'
        raise ValueError(
            f'{match["file"]} has no results for {match["task"]!r}'
        )

    return BLOCK.sub(table_of, text)
