"""Tables from lines: what is averaged, what is compared, what is said."""

import pytest
from study import lines
from study.embed import embed
from study.reading import read_study
from study.summary import summarize
from study.table import tables

STUDY = """
question: Does it help?
metric: {name: m, label: top-1 (%)}
seeds: 6
tasks: {digits: {title: The digits}}
baselines: [alone, mimic]
methods:
  alone: {title: student alone, config: a.py}
  mimic: {title: imitation, config: b.py}
  mgd: {title: MGD, config: c.py}
"""
VALUES = {
    'alone': [89.0, 90.9, 89.9, 90.7, 89.8, 90.2],
    'mimic': [90.0, 91.0, 90.0, 91.0, 90.0, 91.0],
    'mgd': [90.1, 91.4, 89.7, 92.0, 90.6, 91.1],
}


def line(method, seed, value, **changes):
    return {
        'task': 'digits',
        'method': method,
        'seed': seed,
        'metric': 'm',
        'value': value,
        'settings': f'set-{method}',
        'code': 'c1',
        'data': 'd1',
        'versions': {'torch': '2.11.0'},
        'commit': 'abc',
        'processor': 'P',
        **changes,
    }


@pytest.fixture
def study(tmp_path):
    (tmp_path / 'study.yaml').write_text(STUDY)
    return read_study(tmp_path / 'study.yaml')


def all_lines(**changes):
    return [
        line(method, seed, value, **changes)
        for method, values in VALUES.items()
        for seed, value in enumerate(values)
    ]


def test_rows_hold_their_values_and_differences(study):
    (table,) = tables(study, all_lines())
    assert [row.method for row in table.rows] == ['alone', 'mimic', 'mgd']
    for row in table.rows:
        assert list(row.values.values()) == VALUES[row.method]
    mgd = table.of('mgd')[0]
    assert mgd.differences['alone'].mean == pytest.approx(4.4 / 6)
    assert mgd.differences['mimic'].mean == pytest.approx(1.9 / 6)


def test_p_is_corrected_over_each_pair_once(study):
    """alone-mimic, alone-mgd and mimic-mgd: three, not four."""
    (table,) = tables(study, all_lines())
    alone, mimic, mgd = table.rows
    assert alone.differences == {}
    assert set(mimic.differences) == {'alone'}
    raw = [mimic.differences['alone'].p, mgd.differences['alone'].p]
    raw.append(mgd.differences['mimic'].p)
    smallest = min(raw)
    corrected = [mimic.corrected['alone'], *mgd.corrected.values()]
    assert min(corrected) == pytest.approx(3 * smallest)
    assert max(corrected) >= max(raw)


@pytest.mark.parametrize(
    'change',
    [{'code': 'c2'}, {'data': 'd2'}, {'versions': {'torch': '2.1.2'}}],
)
def test_other_versions_are_not_averaged(study, change):
    """Nor compared: five seeds of one and one of another are five and one."""
    mixed = all_lines()
    mixed[-1].update(change)
    large, small = tables(study, mixed)
    assert len(large.of('mgd')[0].values) == 5
    assert list(small.of('mgd')[0].values.values()) == [91.1]
    assert small.of('mgd')[0].differences == {}
    for entry in mixed:
        lines.append(study.lines, entry)
    text = summarize(study, {})
    assert 'Version 1 of 2' in text
    assert 'Version 2 of 2' in text


def test_other_settings_are_rows_of_their_own(study):
    mixed = all_lines()
    mixed[-1]['settings'] = 'other'
    (table,) = tables(study, mixed)
    assert [len(row.values) for row in table.of('mgd')] == [5, 1]
    mixed[-1]['settings'] = 'set-mgd'
    mixed[-1]['teacher'] = 'another teacher'
    (table,) = tables(study, mixed)
    assert [len(row.values) for row in table.of('mgd')] == [5, 1]


def test_a_baseline_of_two_settings_is_not_compared_with(study):
    mixed = all_lines()
    mixed[0]['settings'] = 'other'
    (table,) = tables(study, mixed)
    assert 'alone' not in table.of('mgd')[0].differences
    assert 'mimic' in table.of('mgd')[0].differences


def test_other_metrics_are_no_rows(study):
    """What a backbone reached in classifying is none of a detector's."""
    mixed = [*all_lines(), line('backbone', 0, 99.0, metric='accuracy')]
    (table,) = tables(study, mixed)
    assert [row.method for row in table.rows] == ['alone', 'mimic', 'mgd']


def test_of_one_cell_only_one_line_counts(study):
    twice = [*all_lines(), line('mgd', 0, 0.0)]
    (table,) = tables(study, twice)
    assert list(table.of('mgd')[0].values.values()) == VALUES['mgd']


def test_a_cell_of_one_value_is_none_of_another(tmp_path):
    swept = STUDY.replace('c.py', 'c.py, sweep: {a.ratio: [1, 16]}')
    (tmp_path / 'study.yaml').write_text(swept)
    study = read_study(tmp_path / 'study.yaml')
    for entry in all_lines():
        point = {'ratio': 1} if entry['method'] == 'mgd' else {}
        lines.append(study.lines, {**entry, 'point': point})
    assert '18 of 24 cells have run' in summarize(study, {})
    assert 'of mgd with ratio=16.' in summarize(study, {})


def test_the_summary_says_what_it_rests_on(study):
    for entry in all_lines()[:-1]:
        lines.append(study.lines, entry)
    text = summarize(study, {'digits/mgd/seed-5': 'no such file'})
    assert '| imitation | 6 | 90.50 ± 0.55 |' in text
    assert '17 of 18 cells have run' in text
    assert 'Not yet: seeds 5 of mgd' in text
    assert '**failed**: digits/mgd/seed-5: no such file' in text
    assert 'Code c1 (commit abc), data d1, torch 2.11.0, on P' in text
    assert 'Holm over the 3 comparisons' in text
    assert text == summarize(study, {'digits/mgd/seed-5': 'no such file'})


def test_the_summary_of_few_seeds_has_no_p(study):
    for entry in all_lines():
        if entry['seed'] < 4:
            lines.append(study.lines, entry)
    text = summarize(study, {})
    assert 'No p value below 5 seeds' in text
    assert '| MGD | 4 | 90.80 ± 1.08 | +0.67 [−0.40, +1.75] |  |' in text


def test_tables_in_documents_are_those_of_the_lines(study):
    text = (
        'before\n<!-- study study.yaml digits -->\n| old |\n'
        '<!-- /study -->\nafter'
    )
    with pytest.raises(ValueError, match="no results for 'digits'"):
        embed(text, study.file.parent)
    for entry in all_lines():
        lines.append(study.lines, entry)
    fresh = embed(text, study.file.parent)
    assert fresh.startswith('before\n<!-- study study.yaml digits -->\n|  |')
    assert '| imitation | 6 | 90.50 ± 0.55 |' in fresh
    assert fresh.endswith(' |\n<!-- /study -->\nafter')
    assert 'old' not in fresh
    assert embed(fresh, study.file.parent) == fresh


def test_the_summary_of_nothing(study):
    assert '0 of 18 cells have run' in summarize(study, {})


def test_lines_of_another_study_count_where_this_one_has_the_method(study):
    other = study.file.with_name('other.yaml')
    other.write_text(STUDY + '  more: {title: another, config: d.py}\n')
    for one in [*all_lines(), line('more', 0, 1.0), line('teacher', 0, 95.0)]:
        lines.append(read_study(other).lines, one)
    file = study.file
    file.write_text(STUDY + 'lines_of: [other.yaml]\n')
    study = read_study(file)
    found = lines.results(study)
    assert {x['method'] for x in found} == {'teacher', *VALUES}
    own = line('mgd', 6, 93.0)
    lines.append(study.lines, own)
    assert lines.results(study) == [own, *found]
    assert '91.13 ± 1.13' in summarize(study, {})
