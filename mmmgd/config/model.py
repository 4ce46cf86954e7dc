"""The model of a config, and the plain student in it."""

import copy
from typing import Any

from mmengine.config import Config


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
    cfg = copy_config(cfg)
    cfg.model = with_preprocessor(
        cfg.model.student, cfg.model.get('data_preprocessor')
    )
    drop_own_hooks(cfg)
    return cfg


def copy_config(cfg: Config) -> Config:
    """Return a copy, whether or not the file that it came from still is."""
    # MMEngine reads the file again unless it is given the text.
    text = cfg.text or '# built from a dict'
    return Config(
        cfg.to_dict(),
        cfg_text=text,
        filename=cfg.filename,
        format_python_code=cfg._format_python_code,
    )


def drop_own_hooks(cfg: Any) -> None:
    """Remove this package's hooks from a config, in place."""
    default = cfg.get('default_hooks') or {}
    for name in [n for n, hook in default.items() if is_of_scope(hook)]:
        del default[name]
    if cfg.get('custom_hooks'):
        cfg['custom_hooks'] = [
            hook for hook in cfg['custom_hooks'] if not is_of_scope(hook)
        ]


def is_of_scope(cfg: Any) -> bool:
    """Whether a part of a config is one of this package's."""
    kind = cfg.get('type') if isinstance(cfg, dict) else type(cfg)
    name = kind if isinstance(kind, str) else getattr(kind, '__module__', '')
    return is_ours(cfg) or name.partition('.')[0] == 'mmmgd'


def whole_model(cfg: Config) -> Any:
    """Return ``cfg.model`` as the Runner builds it.

    MMPretrain keeps the data preprocessor at the top of a config.
    """
    return with_preprocessor(cfg.model, cfg.get('data_preprocessor'))


def with_preprocessor(model: dict, preprocessor: Any) -> Any:
    """Return a model's config with this data preprocessor if it names none.

    It is a deep copy: some models (DETRs, mmseg's) write into their config
    when they are built, and cannot be built from it a second time.
    """
    model = copy.deepcopy(model)
    if preprocessor is not None:
        model.setdefault('data_preprocessor', preprocessor)
    return model


def teacher_configs(teacher: Any) -> dict[str, Any]:
    """Return the config of each teacher by its name; '' if there is one.

    Args:
        teacher: ``teacher`` of MGDDistill: the arguments of one, or several
            such by name.
    """
    if (
        isinstance(teacher, dict)
        and teacher
        and 'config' not in teacher
        and all(isinstance(cfg, dict) for cfg in teacher.values())
    ):
        return dict(teacher)
    return {'': teacher}


def is_ours(hook: Any) -> bool:
    """Whether the config of a hook means DistillHook."""
    return _type_name(hook) == 'DistillHook'


def _type_name(cfg: Any) -> str:
    """Return the bare class name that a config's `type` means."""
    kind = cfg.get('type', '') if isinstance(cfg, dict) else type(cfg)
    name = kind if isinstance(kind, str) else getattr(kind, '__name__', '')
    return name.rpartition('.')[2]
