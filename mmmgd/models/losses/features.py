"""Losses between features: see :mod:`mmmgd.functional`."""

from torch import Tensor

from mmmgd import functional
from mmmgd.registry import MODELS

from .weight import WeightedLoss


@MODELS.register_module()
class MGDLoss(WeightedLoss):
    """α · Σ (preds_S − preds_T)² / N: see :func:`functional.mgd_loss`.

    Args:
        loss_weight: α. A tuned value, therefore without a default: it stands
            once, in the config. The authors' rule is to bring this loss near
            the task loss.
    """

    def forward(self, preds_S: Tensor, preds_T: Tensor) -> Tensor:
        """Compare two maps with shape (N, C, H, W); returns a scalar."""
        return self.loss_weight * functional.mgd_loss(preds_S, preds_T)


@MODELS.register_module()
class PKDLoss(WeightedLoss):
    """1 − Pearson's ρ of each channel: see :func:`functional.pkd_loss`.

    It does not depend on the scale of either side, so that one weight serves
    all levels and pairs (the authors': 6 for each level of an FPN, on the
    outputs of the neck, between detectors of different kinds as well).

    Args:
        loss_weight: Weight of the loss.
    """

    def forward(self, preds_S: Tensor, preds_T: Tensor) -> Tensor:
        """Compare two maps with shape (N, C, H, W); returns a scalar."""
        return self.loss_weight * functional.pkd_loss(preds_S, preds_T)


@MODELS.register_module()
class CosineLoss(WeightedLoss):
    """1 − cos at each position: see :func:`functional.cosine_loss`.

    Args:
        loss_weight: Weight of the loss.
    """

    def forward(self, preds_S: Tensor, preds_T: Tensor) -> Tensor:
        """Compare features with shape (N, C, ...); returns a scalar."""
        return self.loss_weight * functional.cosine_loss(preds_S, preds_T)
