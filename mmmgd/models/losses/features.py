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
        hidden_only: Compare only what the connector has hidden, and divide by
            its share, as ViTKD does.

    Examples:
        >>> import torch
        >>> loss = MGDLoss(loss_weight=0.5)
        >>> student = torch.zeros(2, 3, 4, 4)
        >>> loss(student, student + 1)  # 0.5 * 3 * 4 * 4
        tensor(24.)
    """

    # Over channels and positions: grows with the map.
    is_sum = True

    def __init__(self, loss_weight: float, hidden_only: bool = False) -> None:
        super().__init__(loss_weight)
        self.hidden_only = hidden_only

    def forward(
        self, preds_S: Tensor, preds_T: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Compare two maps with shape (N, C, H, W); returns a scalar.

        Args:
            preds_S: From the student.
            preds_T: From the teacher.
            mask: The connector's keep mask, which MGDDistill hands over.

        Raises:
            ValueError: If ``hidden_only`` has no mask.
        """
        if not self.hidden_only:
            mask = None
        elif mask is None:
            raise ValueError(
                'hidden_only=True needs the mask of an mmmgd.MGDConnector in '
                'the same entry of `distill`. Add the connector, or leave '
                'hidden_only out.'
            )
        return self.loss_weight * functional.mgd_loss(preds_S, preds_T, mask)


@MODELS.register_module()
class PKDLoss(WeightedLoss):
    """1 − Pearson's ρ of each channel: see :func:`functional.pkd_loss`.

    It does not depend on the scale of either side, so that one weight serves
    all levels and pairs (the authors': 6 for each level of an FPN, on the
    outputs of the neck, between detectors of different kinds as well).

    Args:
        loss_weight: Weight of the loss.

    Examples:
        >>> import torch
        >>> student = torch.randn(2, 3, 4, 4)
        >>> loss = PKDLoss(loss_weight=6)
        >>> round(abs(loss(student, 10 * student + 1).item()), 3)
        0.0
    """

    def forward(self, preds_S: Tensor, preds_T: Tensor) -> Tensor:
        """Compare two maps with shape (N, C, H, W); returns a scalar."""
        return self.loss_weight * functional.pkd_loss(preds_S, preds_T)


@MODELS.register_module()
class CosineLoss(WeightedLoss):
    """1 − cos at each position: see :func:`functional.cosine_loss`.

    Args:
        loss_weight: Weight of the loss.

    Examples:
        >>> import torch
        >>> student = torch.ones(1, 2, 4, 4)
        >>> round(CosineLoss(loss_weight=1)(student, -student).item(), 3)
        2.0
    """

    def forward(self, preds_S: Tensor, preds_T: Tensor) -> Tensor:
        """Compare features with shape (N, C, ...); returns a scalar."""
        return self.loss_weight * functional.cosine_loss(preds_S, preds_T)
