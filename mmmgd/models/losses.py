"""Distillation losses: thin modules over :mod:`mmmgd.functional`.

``preds_S`` and ``preds_T`` are MMRazor's argument names, so that these losses
fit its ``ConfigurableDistiller`` and its losses fit our driver.
"""

import math
from typing import Any

from torch import Tensor, nn

from mmmgd import functional
from mmmgd.registry import MODELS


def _number(name: str, value: Any) -> float:
    """Refuse what would train without a word: text, nan, or a reward."""
    if isinstance(value, (int, float)) and 0 <= value < math.inf:
        return value
    raise ValueError(
        f'Expected `{name}` to be a finite number, 0 or above, but got '
        f'{value!r}.'
    )


@MODELS.register_module()
class MGDLoss(nn.Module):
    """α · Σ (preds_S − preds_T)² / N: see :func:`functional.mgd_loss`.

    Args:
        loss_weight: α. A tuned value, therefore without a default: it stands
            once, in the config. The authors' rule is to bring this loss near
            the task loss.
    """

    def __init__(self, loss_weight: float) -> None:
        super().__init__()
        self.loss_weight = _number('loss_weight', loss_weight)

    def forward(self, preds_S: Tensor, preds_T: Tensor) -> Tensor:
        """Compare two maps with shape (N, C, H, W); returns a scalar."""
        return self.loss_weight * functional.mgd_loss(preds_S, preds_T)


class _TemperedLoss(nn.Module):
    """Holds what all losses on logits have.

    Args:
        tau: Temperature.
        loss_weight: Weight of the loss.
    """

    def __init__(self, tau: float, loss_weight: float) -> None:
        super().__init__()
        self.tau = _number('tau', tau)
        if tau == 0:
            raise ValueError('Expected `tau` above 0, but got 0.')
        self.loss_weight = _number('loss_weight', loss_weight)


@MODELS.register_module()
class KLDivergence(_TemperedLoss):
    """Hinton's soft labels: see :func:`functional.kl_divergence`."""

    def forward(self, preds_S: Tensor, preds_T: Tensor) -> Tensor:
        """Compare logits with shape (N, C, ...); returns a scalar."""
        return self.loss_weight * functional.kl_divergence(
            preds_S, preds_T, self.tau
        )


@MODELS.register_module()
class WSLD(_TemperedLoss):
    """Weighted soft labels: see :func:`functional.weighted_soft_label`."""

    def forward(
        self, preds_S: Tensor, preds_T: Tensor, gt_labels: Tensor
    ) -> Tensor:
        """Compare logits with shape (N, C), given labels with shape (N,)."""
        return self.loss_weight * functional.weighted_soft_label(
            preds_S, preds_T, gt_labels, self.tau
        )


@MODELS.register_module()
class ChannelWiseDivergence(_TemperedLoss):
    """Channel-wise KL: see :func:`functional.channel_wise_divergence`."""

    def forward(self, preds_S: Tensor, preds_T: Tensor) -> Tensor:
        """Compare maps with shape (N, C, H, W); returns a scalar."""
        return self.loss_weight * functional.channel_wise_divergence(
            preds_S, preds_T, self.tau
        )
