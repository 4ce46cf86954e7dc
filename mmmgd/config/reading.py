"""Read configs from files and from installed packages."""

import ast
import os.path as osp
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mmengine.config import Config

from .checks import drop_absent_hooks
from .crop import stated_size
from .keys import close_names
from .model import is_distilled, teacher_configs, with_preprocessor
from .options import override

OWN = 'mmmgd'


def read_config(
    path: str, cfg_options: dict[str, Any] | None = None
) -> Config:
    """Read a config from a file or from an installed package.

    A relative ``model.teacher.config`` that is not found from the working
    folder is taken relative to this config. One without a scope gets that of
    the package it comes from. The training crop, where the pipeline states
    one, becomes ``model.image_size``: what both models are tried on.

    Args:
        path: Path, or ``'pkg::path'``.
        cfg_options: Overrides, as ``--cfg-options`` gives them.

    Raises:
        FileNotFoundError: If there is no such config; close names are
            offered.
        ModuleNotFoundError: If the package of a ``pkg::`` path is missing.
    """
    file = find_config(path)
    package = _codebase(path) or _package_of(file)
    cfg = _parse(file)
    _leave_own_scope(cfg._cfg_dict)
    if package and cfg.get('default_scope') is None:
        cfg.default_scope = package  # a headless one of MMPretrain
    if cfg_options:
        override(cfg, cfg_options)
    drop_absent_hooks(cfg)
    _anchor_teacher(cfg, file.parent)
    _state_crop(cfg)
    return cfg


def find_config(path: str) -> Path:
    """Return the file that a config name means; see :func:`read_config`."""
    if '::' not in path:
        file = Path(path).expanduser()
        if file.is_file():
            return file
        raise FileNotFoundError(
            f'Expected a config at {path!r}, but there is no such file '
            f'(working folder: {Path.cwd()}).'
            + _offer_files(file.name, file.parent, '*.py')
        )
    package, _, name = path.partition('::')
    if find_spec(package) is None:
        raise ModuleNotFoundError(
            f'The config {path!r} needs the package {package!r}, which is not '
            'installed. `python -m mmmgd doctor` prints the command that '
            'installs it.'
        )
    root = package_configs(package)
    for candidate in (root / name, root / f'{name}.py'):
        if candidate.is_file():
            return candidate
    raise FileNotFoundError(
        f'{package} is installed, but has no config {name!r}.'
        + _offer_files(name, root, '**/*.py')
    )


def package_configs(package: str) -> Path:
    """Return the folder with the configs of an installed package."""
    return package_folder(package) / 'configs'


def package_folder(package: str) -> Path:
    """Return where a package of the family keeps configs and tools."""
    spec = find_spec(package)
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / '.mim'


def _parse(file: Path) -> Config:
    try:
        return Config.fromfile(str(file))
    except Exception as error:  # of any kind: a config is a program
        raise ValueError(
            f"The config '{file}' cannot be read: {type(error).__name__}: "
            f'{error}'
        ) from error


def _package_of(file: Path, outer: tuple[Path, ...] = ()) -> str:
    """Return the package of the first ``pkg::`` base, '' if there is none.

    Finds each base before MMEngine does, whose message is bare.
    """
    package, outer = '', (*outer, file.resolve())
    for base in _bases(file):
        named, _, name = base.rpartition('::')
        found = find_config(base if named else str(file.parent / name))
        if found.resolve() in outer:
            raise ValueError(
                f"The config '{file}' has the base {base!r}, which is itself "
                'or has it as a base. Remove that line.'
            )
        inner = _package_of(found, outer)
        package = package or _codebase(base) or inner
    return package


def _codebase(path: str) -> str:
    """Return the package of a ``pkg::`` path; '' for a file, and for ours.

    Our own configs are based on those of a codebase, whose scope they have.
    """
    package = path.rpartition('::')[0]
    return '' if package == OWN else package


def _leave_own_scope(part: Any) -> None:
    """Let what comes from a ``mmmgd::`` base be built in the default scope.

    MMEngine notes the package of each base as the scope of its parts.
    """
    if isinstance(part, dict):
        if part.get('_scope_') == OWN:
            del part['_scope_']
        part = list(part.values())
    if isinstance(part, (list, tuple)):
        for one in part:
            _leave_own_scope(one)


def _bases(file: Path) -> list[str]:
    """Return the bases that a config names as plain text."""
    bases: list[str] = []
    if file.suffix != '.py':
        return bases
    try:
        tree = ast.parse(file.read_text(encoding='utf-8'))
    except (SyntaxError, ValueError) as error:  # or no text
        where = f'line {getattr(error, "lineno", "?")}, '
        raise ValueError(
            f"The config '{file}' is no Python: "
            f'{where}{getattr(error, "msg", error)}.'
        ) from error
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == '_base_' for t in node.targets
        ):
            try:
                value = ast.literal_eval(node.value)
            except ValueError:  # an expression: MMEngine evaluates it
                continue
            bases += [value] if isinstance(value, str) else value
    return bases


def _anchor_teacher(cfg: Config, folder: Path) -> None:
    if not is_distilled(cfg):
        return
    teachers = teacher_configs(cfg.model.get('teacher') or {})
    for teacher in teachers.values():
        config = teacher.get('config') if isinstance(teacher, dict) else None
        if isinstance(config, str) and '::' not in config:
            beside = folder / config
            if not osp.exists(config) and beside.exists():
                teacher.config = str(beside.resolve())


def _state_crop(cfg: Config) -> None:
    if not is_distilled(cfg) or not isinstance(cfg.model.get('student'), dict):
        return
    outer = cfg.model.get('data_preprocessor', cfg.get('data_preprocessor'))
    crop = stated_size(with_preprocessor(cfg.model.student, outer), cfg)
    if crop:
        cfg.model.setdefault('image_size', crop)


def _offer_files(name: str, folder: Path, pattern: str) -> str:
    names = [str(p.relative_to(folder)) for p in folder.glob(pattern)]
    close = close_names(name, names)
    return f' Close names: {", ".join(close)}.' if close else ''
