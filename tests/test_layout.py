"""The rooms of the package: what may import what, and how large they are."""

import ast
import re
from collections import Counter
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).resolve().parents[1]
# From the ground floor up; a room imports from those below it.
FLOORS = (
    ('version', 'functional', 'rng'),
    ('checkpoints',),
    ('config',),
    ('compat', 'registry'),
    ('points',),
    ('ops',),
    ('teacher',),
    ('models',),
    ('report',),
    ('engine',),
    ('cli', 'hooks'),
    ('__init__', '__main__'),
)
CODEBASES = {'mmcv', 'mmdet', 'mmpretrain', 'mmrazor', 'mmseg'}
MAX_ROOT_MODULES = 8
SCREEN = 50  # lines


@cache
def sources(*folders: str) -> dict[Path, ast.Module]:
    """Parse all modules under folders of the project."""
    paths = [p for f in folders for p in sorted((ROOT / f).rglob('*.py'))]
    return {
        p.relative_to(ROOT): ast.parse(p.read_text('utf-8')) for p in paths
    }


def module_name(path: Path) -> str:
    """Return 'mmmgd.points' for mmmgd/points/__init__.py."""
    return '.'.join(path.with_suffix('').parts).removesuffix('.__init__')


def imports(path: Path, tree: ast.AST) -> set[str]:
    """Return the full names of all that a module imports, lazily too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = path.parent.parts
            above = package[: len(package) - node.level + 1]
            base = [*above, node.module] if node.level else [node.module]
            stem = '.'.join(part for part in base if part)
            found |= {f'{stem}.{alias.name}' for alias in node.names}
    return found


def graph(trees: dict[Path, ast.Module]) -> dict[str, set[str]]:
    """Return which modules of the package each of its modules imports."""
    names = {module_name(path) for path in trees}

    def resolve(name: str) -> str:
        return name if name in names else name.rpartition('.')[0]

    return {
        module_name(path): {
            resolve(name)
            for name in imports(path, tree)
            if name.partition('.')[0] == 'mmmgd'
        }
        for path, tree in trees.items()
    }


def floor(module: str) -> int:
    """Return how high the room of a module lies."""
    room = (*module.split('.'), '__init__')[1]
    return next(i for i, rooms in enumerate(FLOORS) if room in rooms)


def upward(edges: dict[str, set[str]]) -> list[str]:
    """Return the imports from another room that is not below."""
    return [
        f'{module} imports {other}'
        for module, others in edges.items()
        for other in sorted(others)
        if module.split('.')[1:2] != other.split('.')[1:2]
        and floor(other) >= floor(module)
    ]


def function_sizes(trees: dict[Path, ast.Module]) -> dict[str, int]:
    """Return the lines of each function, docstring included."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        f'{path}:{node.lineno} {node.name}': node.end_lineno - node.lineno + 1
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, kinds)
    }


def top_level(tree: ast.Module) -> ast.Module:
    """Return what runs when the module is imported."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    body = [node for node in tree.body if not isinstance(node, kinds)]
    return ast.Module(body, [])


def test_every_room_has_a_floor():
    modules = {p.name.removesuffix('.py') for p in (ROOT / 'mmmgd').iterdir()}
    modules -= {'__pycache__', 'py.typed', '.mim'}
    assert modules == {room for rooms in FLOORS for room in rooms}


def test_the_root_holds_few_modules():
    modules = [p.name for p in (ROOT / 'mmmgd').glob('*.py')]
    assert len(modules) <= MAX_ROOT_MODULES, sorted(modules)


def test_imports_go_downwards():
    edges = graph(sources('mmmgd'))
    assert edges['mmmgd.models.distill'], 'found no imports at all'
    assert upward(edges) == []


def test_no_module_imports_itself_through_others():
    tuple(TopologicalSorter(graph(sources('mmmgd'))).static_order())


@pytest.mark.parametrize(
    ('path', 'line', 'name'),
    [
        ('mmmgd/points/tap.py', 'import mmmgd.cli', 'mmmgd.cli'),
        ('mmmgd/points/tap.py', 'from . import pairs', 'mmmgd.points.pairs'),
        ('mmmgd/points/tap.py', 'from ..ops import a', 'mmmgd.ops.a'),
        (
            'mmmgd/points/__init__.py',
            'from .tap import a',
            'mmmgd.points.tap.a',
        ),
        ('mmmgd/points/tap.py', 'def f():\n from .. import cli', 'mmmgd.cli'),
    ],
)
def test_reads_each_form_of_an_import(path, line, name):
    assert imports(Path(path), ast.parse(line)) == {name}


def test_an_upward_import_is_named():
    edges = {'mmmgd.points.tap': {'mmmgd.rng', 'mmmgd.teacher.build'}}
    assert upward(edges) == ['mmmgd.points.tap imports mmmgd.teacher.build']


def test_no_codebase_is_imported_with_the_package():
    found = {
        f'{path} imports {name}'
        for path, tree in sources('mmmgd').items()
        for name in imports(path, top_level(tree))
        if name.partition('.')[0] in CODEBASES
    }
    assert not found


def test_files_and_functions_stay_small():
    trees = sources('mmmgd', 'tools')
    lines = {p: len((ROOT / p).read_text('utf-8').splitlines()) for p in trees}
    large = {
        str(p): n
        for p, n in lines.items()
        if n > 220 and p.parts[0] == 'mmmgd'
    }
    assert not large
    assert median(lines.values()) <= 130
    sizes = function_sizes(trees)
    long = {name: size for name, size in sizes.items() if size > SCREEN}
    print(f'{len(long)} of {len(sizes)} functions are over a screen: {long}')
    assert len(long) <= 0.02 * len(sizes), long


def test_types_stand_in_the_signature_only():
    """An argument is written `name: meaning`, not `name (int): meaning`."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    typed = re.compile(r'^ {4}\*{0,2}\w+ \([\w\[\], .|]+\): ', re.MULTILINE)
    found = [
        f'{path}:{node.lineno} {match.group().strip()}'
        for path, tree in sources('mmmgd', 'tools').items()
        for node in ast.walk(tree)
        if isinstance(node, kinds)
        for match in typed.finditer(ast.get_docstring(node) or '')
    ]
    assert not found


def test_each_test_file_has_a_name_of_its_own():
    """Folders of tests are no packages: pytest refuses a second one."""
    names = Counter(path.name for path in (ROOT / 'tests').rglob('test_*.py'))
    assert not [name for name, count in names.items() if count > 1]
