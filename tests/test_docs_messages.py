"""Each message that the FAQ quotes is one that the code can say."""

import ast
import re
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / 'tools/dev'))

import docs_links  # noqa: E402

FAQ = (ROOT / 'docs/faq.md').read_text('utf-8')
MESSAGES = [
    ' '.join(text.split())
    for language, text in docs_links.blocks(FAQ)
    if language == 'text'
]
WORDS = re.compile(r'(?<![\w./=-])[A-Za-z]+(?:[ ,.:;]+[a-z]+){2}(?![\w/=])')


@cache
def fragments():
    """Return the words between the values in all strings of the package."""
    found = set()
    for path in (ROOT / 'mmmgd').rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text('utf-8'))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(' '.join(node.value.split()))
    return sorted((x for x in found if len(x) > 5), key=len, reverse=True)


def not_said(message):
    """Return three words in a row of a message that no string holds."""
    for fragment in fragments():
        message = message.replace(fragment, ' | ')
    return WORDS.findall(message)


@pytest.mark.parametrize('message', MESSAGES, ids=lambda m: m[:40])
def test_the_message_is_of_the_code(message):
    assert not_said(message) == []


@pytest.mark.parametrize(
    ('message', 'old', 'new'),
    [
        ('ran 5 times', 'so its feature is ambiguous', 'so it is unclear'),
        ('[batch]', 'but the learning rate', 'but your learning rate'),
        ('does not fit the part', 'the file does not fit', 'it is wrong for'),
    ],
)
def test_other_words_are_noticed(message, old, new):
    (real,) = [m for m in MESSAGES if message in m]
    assert not_said(real.replace(old, new))


def test_all_24_complaints_have_an_answer_with_a_message():
    parts = re.split(r'^## (\d+)\. .*$', FAQ, flags=re.M)[1:]
    assert [int(n) for n in parts[::2]] == [*range(1, 25)]
    for number, text in zip(parts[::2], parts[1::2], strict=True):
        assert '```text\n' in text, f'{number} quotes no message'
