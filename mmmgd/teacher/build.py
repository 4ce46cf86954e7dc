"""Build a teacher's frozen model; find the URL of its weights."""

import os.path as osp
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.model import BaseModule, PretrainedInit
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from mmmgd.config import find_config, read_config, whole_model
from mmmgd.rng import isolated_rng

PRETRAINED = ('Pretrained', PretrainedInit)


def build_frozen(config: str | dict) -> nn.Module:
    """Build the model of a config on the CPU, in eval mode, no gradients."""
    cfg = _read(config) if isinstance(config, str) else Config(config)
    if 'model' not in cfg:
        if 'type' not in cfg:
            where = config if isinstance(config, str) else 'teacher.config'
            raise ValueError(
                f'Expected a `model` in {where}, but it has {sorted(cfg)}. '
                'Write model=dict(type=...) into it, or name the config that '
                'the teacher was trained with.'
            )
        cfg = Config(dict(model=cfg.to_dict()))
    model = whole_model(cfg)
    with (
        DefaultScope.overwrite_default_scope(cfg.get('default_scope')),
        torch.device('cpu'),
        isolated_rng(0),
    ):
        module = MODELS.build(model)
    if model.get('data_preprocessor') is None:
        # It states no normalisation; the default one would claim that.
        module.data_preprocessor = None
    return module.requires_grad_(False).eval()


def _read(path: str) -> Config:
    try:
        return read_config(path)
    except FileNotFoundError as error:
        if '::' in path or osp.isabs(path):
            raise
        raise FileNotFoundError(
            f"{error} Beside the student's config it is found by the tools of "
            f"mmmgd; for those of others write '{{{{fileDirname}}}}/{path}'."
        ) from error


def initialise(module: nn.Module) -> None:
    """Give a model the random weights with which its training would begin.

    Some have none before: upstream allocates what ``init_weights`` fills, such
    as DINO's ``level_embed``. Nothing is downloaded.
    """
    part: Any
    for part in module.modules():
        if getattr(part, 'init_cfg', None):
            cfg = part.init_cfg
            cfg = [cfg] if isinstance(cfg, Mapping) else cfg
            kept = [c for c in cfg if c['type'] not in PRETRAINED]
            part.init_cfg = kept or None  # Swin asks whether it is None
    if isinstance(module, BaseModule):
        with isolated_rng(0):
            module.init_weights()


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
