"""The tables of docs/benchmarks.md are those of docs/benchmarks.json."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / 'tools'))

from benchmark import tables, variance

ROOT = Path(__file__).parents[2]


@pytest.fixture
def docs(tmp_path, monkeypatch):
    """A copy of the page and its numbers."""
    for name in ('benchmarks.json', 'benchmarks.md'):
        shutil.copy(ROOT / 'docs' / name, tmp_path)
    monkeypatch.setattr(tables, 'DOCS', tmp_path)
    return tmp_path


def test_one_command_writes_what_is_committed(docs):
    page = docs / 'benchmarks.md'
    committed = page.read_text('utf-8')
    page.write_text(committed.replace('| Zen 4 |', '| |'), 'utf-8')
    tables.main([])
    assert page.read_text('utf-8') == committed
    file = docs / 'benchmarks.json'
    text = file.read_text('utf-8')
    assert tables.dump(json.loads(text)) == text


def test_a_result_becomes_a_row(docs):
    seconds = dict(step=2.0, mmrazor=5.0, student=1.0)
    result = dict(date='2026-01-01', seconds=seconds, runs=dict(step=[2] * 3))
    file = docs / 'result.json'
    file.write_text(json.dumps(result))
    tables.main(['--add', str(file), '--pair', 'A → B', '--machine', 'Zen 4'])
    page = (docs / 'benchmarks.md').read_text('utf-8')
    row = (
        '| A → B | float32 | Zen 4 | 2.00 | 5.00 | **2.50** | 1.00 |  |  | 3 |'
    )
    assert row in page
    # two steps, one of them the student's: 1.5 on average
    assert '| A → B | float32 | 1.50 | 3.33 |' in page
    seconds['rest'] = 1.25  # where it was timed
    file.write_text(json.dumps(dict(result, seconds=seconds)))
    tables.main(['--add', str(file), '--pair', 'A → C', '--machine', 'Zen 4'])
    page = (docs / 'benchmarks.md').read_text('utf-8')
    assert '| A → C | float32 | 1.62 | 3.08 |' in page


def test_a_page_without_a_place_for_a_table_is_refused():
    with pytest.raises(ValueError, match='<!-- steps -->'):
        tables.filled('# Benchmarks\n', dict(steps=[]))


def test_scatter_is_the_distance_from_the_mean():
    torch.manual_seed(0)
    mean = torch.full((50,), 2.0)
    draws = [mean + 3 * torch.randn(50) for _ in range(4000)]
    assert variance.scatter(draws) == pytest.approx(3 / 2, rel=0.02)


def test_economies_scatter_as_theory_says():
    """every=2: E g² doubles, so s² becomes 2 s² + 1; sample adds, too."""
    sampled, halved = variance.measure((4, 16, 2, 6, 6, 0.5), 400)
    expected = (2 * halved['full'] ** 2 + 1) ** 0.5
    assert halved['scatter'] == pytest.approx(expected, rel=0.1)
    assert sampled['scatter'] > 1.2 * sampled['full'] > 0
