"""The settings of MGD's authors, by task and method.

Source: arXiv 2205.01529 and yzd-v/MGD@2c9da0b; the rows of configs/README.md.
"""

from typing import Any, NamedTuple

from torch import nn


class Recipe(NamedTuple):
    """Settings of one task.

    Attributes:
        loss_weight: α, for the authors' data, crop and networks.
        mask_ratio: λ, the share that is hidden.
        mask_dim: What is hidden, 'spatial' or 'channel'.
        clip: Largest norm of the gradient; None leaves it.
        clip_aligned: The same where the widths of student and teacher differ.
        inherit: Whether parts other than the backbone start from the
            teacher's weights.
        datasets: Types of data set that α was chosen on.
        source: Where this comes from.
    """

    loss_weight: float
    mask_ratio: float
    mask_dim: str
    clip: float | None
    clip_aligned: float | None
    inherit: bool
    datasets: tuple[str, ...]
    source: str


RECIPES = {
    'classification': Recipe(
        7e-5, 0.15, 'channel', None, 5.0, False,
        ('ImageNet',), 'rows 1 to 5 of configs/README.md',
    ),
    'one-stage detection': Recipe(
        2e-5, 0.65, 'spatial', 35, 35, True,
        ('CocoDataset',), 'rows 6, 8 and 9 of configs/README.md',
    ),
    'two-stage detection': Recipe(
        5e-7, 0.45, 'spatial', 35, 35, False,
        ('CocoDataset',), 'rows 7 and 10 of configs/README.md',
    ),
    'semantic segmentation': Recipe(
        2e-5, 0.75, 'spatial', None, None, False,
        ('CityscapesDataset',), 'rows 11 and 12 of configs/README.md',
    ),
}  # fmt: skip

# What stands beside imitation: measured, docs/settings.md.
IMITATES = 'imitation: it aligns widths, nothing more'
IMITATION_BEARS = (
    'imitation bears more than MGD: with few labels it was best at 16 times'
    " the task's loss, MGD at 4"
)

# The backbones of the authors' pairs. α was chosen for their features.
BACKBONES = ('ResNet', 'ResNetV1c', 'ResNetV1d', 'ResNeXt', 'MobileNetV1')

# A loss on logits, beside the features: name of the entry, and its config.
LOGITS = {
    'classification': (
        'loss_wsld', dict(type='mmmgd.WSLD', tau=2, loss_weight=2.5)
    ),
    'semantic segmentation': (
        'loss_cwd',
        dict(type='mmmgd.ChannelWiseDivergence', tau=4, loss_weight=3),
    ),
}  # fmt: skip

METHODS = {
    'mgd': 'masked generative distillation, with the mask of the task',
    'mgd-spatial': 'the same, hiding positions (classification: row 2)',
    'mgd+logits': 'and the loss on logits that its authors add',
    'imitate': 'imitate the feature: no mask, no generator',
}


def task_of(model: nn.Module, scope: str | None) -> str:
    """Return the task of a student, a key of :data:`RECIPES`.

    Args:
        model: The student, built.
        scope: ``default_scope`` of its config, for a model of one's own.

    Raises:
        ValueError: If it is of no codebase that is known.
    """
    packages = {c.__module__.partition('.')[0] for c in type(model).__mro__}
    if 'mmdet' in packages or scope == 'mmdet':
        two = hasattr(model, 'roi_head')
        return f'{"two" if two else "one"}-stage detection'
    if 'mmseg' in packages or scope == 'mmseg':
        return 'semantic segmentation'
    if 'mmpretrain' in packages or scope == 'mmpretrain':
        return 'classification'
    raise ValueError(
        f'Cannot tell the task of {type(model).__name__}: it is no model of '
        'mmpretrain, mmdet or mmseg, and the config has no `default_scope`. '
        f'Name it: --task {" | ".join(map(repr, RECIPES))}.'
    )


def connector_of(recipe: Recipe, method: str) -> dict[str, Any]:
    """Return the config of the connector."""
    if method == 'imitate':
        return dict(type='mmmgd.AlignConnector')
    ratio, dim = recipe.mask_ratio, recipe.mask_dim
    if method == 'mgd-spatial' and dim == 'channel':
        ratio, dim = 0.5, 'spatial'  # row 2
    connector: dict[str, Any] = dict(
        type='mmmgd.MGDConnector', mask_ratio=ratio
    )
    if recipe.mask_dim != 'spatial':  # the default
        connector['mask_dim'] = dim
    return connector
