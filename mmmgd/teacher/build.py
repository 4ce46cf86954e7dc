"""From the config of a teacher to a frozen model and its weights' address."""

from collections.abc import Mapping

import torch
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from mmmgd.config import find_config, read_config, whole_model
from mmmgd.rng import isolated_rng


def build_frozen(config: str | dict) -> nn.Module:
    """Build the model of a config on the CPU, in eval mode, no gradients."""
    cfg = read_config(config) if isinstance(config, str) else Config(config)
    if 'model' not in cfg:
        cfg = Config(dict(model=cfg.to_dict()))
    model = whole_model(cfg)
    scope = cfg.get('default_scope')
    if scope is None and isinstance(config, str) and '::' in config:
        scope = config.partition('::')[0]
    with (
        DefaultScope.overwrite_default_scope(scope),
        torch.device('cpu'),
        isolated_rng(0),
    ):
        module = MODELS.build(model)
    if model.get('data_preprocessor') is None:
        # It states no normalisation; the default one would claim that.
        module.data_preprocessor = None
    return module.requires_grad_(False).eval()


def published_weights(config: str | dict) -> str:
    """Return the URL of the weights that a package publishes."""
    if isinstance(config, Mapping) or '::' not in config:
        raise ValueError(
            "Expected the teacher's `checkpoint`, but got None, which is for "
            "'pkg::path' configs with published weights. Name a path or a "
            'URL.'
        )
    find_config(config)  # our errors, before MMEngine's
    try:
        return get_config(config, pretrained=True).model_path
    except (AssertionError, AttributeError) as error:
        package = config.partition('::')[0]
        raise ValueError(
            f'{package} publishes no weights for {config!r}. Set the '
            "teacher's `checkpoint` to a path or a URL."
        ) from error
