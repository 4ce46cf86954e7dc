"""Reading configs, and refusing those that would train something else."""

import ast
import difflib
import os.path as osp
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mmengine.config import Config

from . import compat  # noqa: F401  (mends `mmseg::` paths)

# Keys of MMCV 1.x that MMEngine never reads, and what replaced them.
DEAD_KEYS = {
    'optimizer_config': 'optim_wrapper=dict(clip_grad=...)',
    'lr_config': 'param_scheduler',
    'momentum_config': 'param_scheduler',
    'runner': 'train_cfg=dict(max_epochs=...) or dict(max_iters=...)',
    'total_epochs': 'train_cfg=dict(max_epochs=...)',
    'checkpoint_config': 'default_hooks=dict(checkpoint=...)',
    'log_config': 'default_hooks=dict(logger=...)',
    'evaluation': 'val_cfg and val_evaluator',
    'workflow': 'train_cfg and val_cfg',
    'fp16': "optim_wrapper=dict(type='AmpOptimWrapper')",
    'data': 'train_dataloader, val_dataloader and test_dataloader',
    'optimizer': 'optim_wrapper=dict(optimizer=...)',
}


def read_config(
    path: str, cfg_options: dict[str, Any] | None = None
) -> Config:
    """Read a config from a file or from an installed package.

    A relative ``model.teacher.config`` that is not found from the working
    folder is taken relative to this config.

    Args:
        path: Path, or ``'pkg::path'``.
        cfg_options: Overrides, as ``--cfg-options`` gives them.

    Raises:
        FileNotFoundError: If there is no such config; close names are
            offered.
        ModuleNotFoundError: If the package of a ``pkg::`` path is missing.
    """
    file = find_config(path)
    _check_bases(file)
    cfg = Config.fromfile(str(file))
    if cfg_options:
        cfg.merge_from_dict(cfg_options)
    _anchor_teacher(cfg, file.parent)
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
            + _close_names(file.name, file.parent, '*.py')
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
        + _close_names(name, root, '**/*.py')
    )


def package_configs(package: str) -> Path:
    """Return the folder with the configs of an installed package."""
    spec = find_spec(package)
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / '.mim' / 'configs'


def check_config(cfg: Config) -> None:
    """Refuse a config that would silently train something else.

    Raises:
        ValueError: If a key is of MMCV 1.x, or DistillHook is missing.
    """
    for key, replacement in DEAD_KEYS.items():
        if _is_dead(cfg, key):
            raise ValueError(
                f'The config sets {key!r}, a key of MMCV 1.x that MMEngine '
                'never reads: its effect would be silently off. Write '
                f'{replacement} instead, and remove {key!r} (or set it to '
                'None where a base config brings it).'
            )
    if is_distilled(cfg) and not any(_is_ours(h) for h in _hooks(cfg)):
        raise ValueError(
            "The model is mmmgd.MGDDistill, but the config has no 'mmmgd."
            "DistillHook', so files would hold more than the student. Add "
            "default_hooks = dict(distill=dict(type='mmmgd.DistillHook'))."
        )


def is_distilled(cfg: Config) -> bool:
    """Whether the config's model is an MGDDistill."""
    return _type_name(cfg.get('model')) == 'MGDDistill'


def student_config(cfg: Config) -> Config:
    """Return the config of the plain student, for testing and inference.

    Nothing of the teacher is left, so nothing of it can be built. A config
    without MGDDistill comes back unchanged.
    """
    if not is_distilled(cfg):
        return cfg
    cfg = Config(cfg.to_dict(), filename=cfg.filename)
    student = cfg.model.student
    preprocessor = cfg.model.get('data_preprocessor')
    if preprocessor is not None:
        student.setdefault('data_preprocessor', preprocessor)
    cfg.model = student
    for name in [n for n, h in cfg.get('default_hooks', {}).items() if h]:
        if _is_ours(cfg.default_hooks[name]):
            del cfg.default_hooks[name]
    if cfg.get('custom_hooks'):
        cfg.custom_hooks = [h for h in cfg.custom_hooks if not _is_ours(h)]
    return cfg


def _is_dead(cfg: Config, key: str) -> bool:
    value = cfg.get(key)
    if value is None:
        return False
    if key == 'optimizer':
        # mmseg defines it as a variable and hands it to optim_wrapper.
        return 'optimizer' not in (cfg.get('optim_wrapper') or {})
    if key == 'data':
        return isinstance(value, dict) and bool(
            {'samples_per_gpu', 'workers_per_gpu', 'train'} & set(value)
        )
    return True


def _check_bases(file: Path) -> None:
    """Find a missing base before MMEngine does, whose message is bare."""
    if file.suffix != '.py':
        return
    for node in ast.parse(file.read_text(encoding='utf-8')).body:
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == '_base_' for t in node.targets
        ):
            try:
                bases = ast.literal_eval(node.value)
            except ValueError:  # an expression: MMEngine evaluates it
                continue
            for base in [bases] if isinstance(bases, str) else bases:
                local = '::' not in base
                found = find_config(str(file.parent / base) if local else base)
                _check_bases(found)


def _anchor_teacher(cfg: Config, folder: Path) -> None:
    if not is_distilled(cfg):
        return
    teacher: Any = cfg.model.get('teacher') or {}
    config = teacher.get('config')
    if isinstance(config, str) and '::' not in config:
        beside = folder / config
        if not osp.exists(config) and beside.exists():
            teacher.config = str(beside.resolve())


def _hooks(cfg: Config) -> list[Any]:
    default = (cfg.get('default_hooks') or {}).values()
    return [*default, *(cfg.get('custom_hooks') or [])]


def _is_ours(hook: Any) -> bool:
    return _type_name(hook) == 'DistillHook'


def _type_name(cfg: Any) -> str:
    """Return the bare class name that a config's `type` means."""
    kind = cfg.get('type', '') if isinstance(cfg, dict) else type(cfg)
    name = kind if isinstance(kind, str) else kind.__name__
    return name.rpartition('.')[2]


def _close_names(name: str, folder: Path, pattern: str) -> str:
    names = [str(p.relative_to(folder)) for p in folder.glob(pattern)]
    close = difflib.get_close_matches(name, names, n=5, cutoff=0.5)
    return f' Close names: {", ".join(close)}.' if close else ''
