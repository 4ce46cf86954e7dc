"""The metafiles against the configs, and against the catalogue's tables."""

import re
from pathlib import Path

import pytest
import yaml

from mmmgd.config import is_distilled, read_config, teacher_configs

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / 'configs'
SIDES = ('Student', 'Teacher')
# Of our own data; their numbers are in docs/.
NO_RECIPES = {'demo', 'studies'}


def _load(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding='utf-8'))


INDEX = _load(ROOT / 'model-index.yml')['Import']
FILES = [_load(ROOT / path) for path in INDEX]
MODELS = {m['Config']: m for file in FILES for m in file['Models']}
RECIPES = sorted(
    str(p.relative_to(ROOT))
    for p in CONFIGS.glob('*/*.py')
    if p.parent.name not in NO_RECIPES
)


def catalogue() -> dict[str, list[str]]:
    """Return the row of each config in the tables of the README.

    Some tables leave out the end that all of their names have.
    """
    rows = {}
    text = (CONFIGS / 'README.md').read_text(encoding='utf-8')
    text, families, _ = text.partition('## Families')  # whose rows have none
    assert families
    for row in re.findall(r'^\| .* \|$', text, re.M):
        cells = [cell.strip() for cell in row.strip('|').split('|')]
        names = re.findall(r'`([^`]+)`', cells[1])
        for name in names:
            stem = name.rpartition('/')[2].removesuffix('.py')
            found = [
                path
                for path in RECIPES
                if re.fullmatch(
                    rf'{re.escape(stem)}(_(deit-tiny|40k|8xb2).*|-40k.*|)',
                    Path(path).stem,
                )
                and 'mmrazor' not in path
            ]
            rows.update(dict.fromkeys(found, cells))
    return rows


def first_number(cell: str) -> float | None:
    """Return the first accuracy in a cell."""
    found = re.search(r'\d\d\.\d\d?', cell)
    return float(found[0]) if found else None


def number(metrics: dict | None) -> float | None:
    """Return the only metric."""
    return None if metrics is None else next(iter(metrics.values()))


def test_each_config_has_an_entry():
    assert sorted(MODELS) == RECIPES
    folders = sorted(str(p.relative_to(ROOT)) for p in CONFIGS.rglob('*.yml'))
    assert sorted(INDEX) == folders


def test_names_are_unique_and_collections_known():
    models = list(MODELS.values())
    assert len({m['Name'] for m in models}) == len(models)
    known = {c['Name'] for f in FILES for c in f.get('Collections', [])}
    assert {m.get('In Collection') for m in models} - {None} == known


@pytest.mark.parametrize('path', [p for p in RECIPES if 'mmrazor' not in p])
def test_numbers_are_those_of_the_catalogue(path):
    blank = ['', '', '', '', '']
    _, _, pair, alone, result, *_ = catalogue().get(path, blank)
    model = MODELS[path]
    sides = model.get('Metadata', {})
    (found,) = model.get('Results', [{}])
    if sides:
        student, teacher = (sides[k].get('Metrics') for k in SIDES)
        assert number(student) == first_number(alone)
        if first_number(pair) is not None:  # not said twice there
            assert number(teacher) == first_number(pair)
    else:  # a student or a teacher by itself
        result = alone
    # 'NKD alone: ...' is no number of this recipe.
    expected = None if 'alone' in result else first_number(result)
    assert number(found.get('Metrics')) == expected
    assert ('Source' in found) == (expected is not None)


@pytest.mark.parametrize('path', [p for p in RECIPES if 'mmrazor' not in p])
def test_the_pair_is_that_of_the_config(path):
    package = {
        'classification': 'mmpretrain',
        'semantic_segmentation': 'mmseg',
    }.get(Path(path).parent.name, 'mmdet')
    pytest.importorskip(package)
    cfg = read_config(str(ROOT / path))
    assert is_distilled(cfg) == ('Metadata' in MODELS[path])
    if not is_distilled(cfg):
        return
    sides = MODELS[path]['Metadata']
    (teacher,) = teacher_configs(cfg.model.teacher).values()
    named = sides['Teacher']['Config']
    file = Path(teacher.config)
    if file.is_absolute():
        assert file == CONFIGS / named.removeprefix('mmmgd::')
    else:
        assert teacher.config == named
    student = read_config(sides['Student']['Config'])
    assert student.model.type == cfg.model.student.type
    assert student.model.backbone == cfg.model.student.backbone


def test_no_weights_are_promised():
    """There are none: neither a key nor an address of a file."""
    for path in INDEX:
        text = (ROOT / path).read_text(encoding='utf-8')
        assert 'Weights:' not in text and '.pth' not in text
