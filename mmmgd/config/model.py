"""The model of a config, and the plain student in it."""

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
    cfg = Config(cfg.to_dict(), filename=cfg.filename)
    cfg.model = with_preprocessor(
        cfg.model.student, cfg.model.get('data_preprocessor')
    )
    for name in [n for n, h in cfg.get('default_hooks', {}).items() if h]:
        if _is_of_package(cfg.default_hooks[name]):
            del cfg.default_hooks[name]
    if cfg.get('custom_hooks'):
        cfg.custom_hooks = [
            h for h in cfg.custom_hooks if not _is_of_package(h)
        ]
    return cfg


def whole_model(cfg: Config) -> Any:
    """Return ``cfg.model`` as the Runner builds it.

    MMPretrain keeps the data preprocessor at the top of a config.
    """
    return with_preprocessor(cfg.model, cfg.get('data_preprocessor'))


def with_preprocessor(model: dict, preprocessor: Any) -> Any:
    """Return a model's config with this data preprocessor if it names none."""
    model = model.copy()
    if preprocessor is not None:
        model.setdefault('data_preprocessor', preprocessor)
    return model


def is_ours(hook: Any) -> bool:
    """Whether the config of a hook means DistillHook."""
    return _type_name(hook) == 'DistillHook'


def _is_of_package(hook: Any) -> bool:
    """Whether the config of a hook means one of this package."""
    kind = hook.get('type', '') if isinstance(hook, dict) else type(hook)
    name = kind if isinstance(kind, str) else f'{kind.__module__}.'
    return is_ours(hook) or name.startswith('mmmgd.')


def _type_name(cfg: Any) -> str:
    """Return the bare class name that a config's `type` means."""
    kind = cfg.get('type', '') if isinstance(cfg, dict) else type(cfg)
    name = kind if isinstance(kind, str) else kind.__name__
    return name.rpartition('.')[2]
