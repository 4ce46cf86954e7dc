"""Losses between logits: see :mod:`mmmgd.functional`."""

from torch import Tensor

from mmmgd import functional
from mmmgd.registry import MODELS

from .weight import WeightedLoss, number, temperature


class _TemperedLoss(WeightedLoss):
    """A loss on logits, with a temperature.

    Args:
        tau: Temperature.
        loss_weight: Weight of the loss.
    """

    def __init__(self, tau: float, loss_weight: float) -> None:
        super().__init__(loss_weight)
        self.tau = temperature(tau)


@MODELS.register_module()
class KLDivergence(_TemperedLoss):
    """KL divergence of soft labels: see :func:`functional.kl_divergence`.

    Args:
        tau: Temperature.
        loss_weight: Weight of the loss.
        standardize: Compare the z-scores of the logits (the authors' values:
            tau 2, weight 9).

    Examples:
        >>> import torch
        >>> loss = KLDivergence(tau=2, loss_weight=1)
        >>> logits = torch.tensor([[1.0, 0.0]])
        >>> loss(logits, logits)
        tensor(0.)
    """

    def __init__(
        self, tau: float, loss_weight: float, standardize: bool = False
    ) -> None:
        super().__init__(tau, loss_weight)
        self.standardize = standardize

    def forward(self, preds_S: Tensor, preds_T: Tensor) -> Tensor:
        """Compare logits with shape (N, C, ...); returns a scalar."""
        return self.loss_weight * functional.kl_divergence(
            preds_S, preds_T, self.tau, self.standardize
        )


@MODELS.register_module()
class WSLD(_TemperedLoss):
    """Weighted soft labels: see :func:`functional.weighted_soft_label`.

    Args:
        tau: Temperature.
        loss_weight: Weight of the loss.

    Examples:
        >>> import torch
        >>> loss = WSLD(tau=2, loss_weight=2.5)
        >>> student, teacher = torch.zeros(2, 10), torch.zeros(2, 10)
        >>> round(loss(student, teacher, torch.tensor([3, 7])).item(), 2)
        14.56
    """

    def forward(
        self, preds_S: Tensor, preds_T: Tensor, gt_labels: Tensor
    ) -> Tensor:
        """Compare logits with shape (N, C), and labels with shape (N,)."""
        return self.loss_weight * functional.weighted_soft_label(
            preds_S, preds_T, gt_labels, self.tau
        )


@MODELS.register_module()
class NKDLoss(_TemperedLoss):
    """Normalised KD: see :func:`functional.nkd_loss`.

    Args:
        gamma: Weight of the classes other than the target (the authors': 1.5
            between convolutional networks, 1 between transformers).
        tau: Temperature among these classes (the authors': 1).
        standardize: Compare the z-scores of the logits.
        loss_weight: Weight of the loss (the authors': 1).

    Examples:
        >>> import torch
        >>> loss = NKDLoss(gamma=1.5, tau=1, loss_weight=1)
        >>> student, teacher = torch.zeros(2, 10), torch.zeros(2, 10)
        >>> round(loss(student, teacher, torch.tensor([3, 7])).item(), 2)
        3.53
    """

    def __init__(
        self,
        gamma: float,
        tau: float,
        loss_weight: float,
        standardize: bool = False,
    ) -> None:
        super().__init__(tau, loss_weight)
        self.gamma = number('gamma', gamma)
        self.standardize = standardize

    def forward(
        self, preds_S: Tensor, preds_T: Tensor, gt_labels: Tensor
    ) -> Tensor:
        """Compare logits with shape (N, C), and labels with shape (N,)."""
        return self.loss_weight * functional.nkd_loss(
            preds_S,
            preds_T,
            gt_labels,
            self.gamma,
            self.tau,
            self.standardize,
        )


@MODELS.register_module()
class DISTLoss(_TemperedLoss):
    """Relations of classes and of samples: see :func:`functional.dist_loss`.

    Args:
        beta: Weight of the relations between classes (the authors': 1).
        gamma: Weight of the relations between samples (the authors': 1).
        tau: Temperature (the authors': 1).
        loss_weight: Weight of the loss (the authors': 2 for classification,
            1 for segmentation).

    Examples:
        >>> import torch
        >>> loss = DISTLoss(beta=1, gamma=1, tau=1, loss_weight=2)
        >>> logits = torch.randn(4, 10)
        >>> round(abs(loss(logits, logits).item()), 3)
        0.0
    """

    def __init__(
        self, beta: float, gamma: float, tau: float, loss_weight: float
    ) -> None:
        super().__init__(tau, loss_weight)
        self.beta = number('beta', beta)
        self.gamma = number('gamma', gamma)

    def forward(self, preds_S: Tensor, preds_T: Tensor) -> Tensor:
        """Compare logits with shape (N, C) or (N, C, H, W)."""
        return self.loss_weight * functional.dist_loss(
            preds_S, preds_T, self.beta, self.gamma, self.tau
        )


@MODELS.register_module()
class ChannelWiseDivergence(_TemperedLoss):
    """Channel-wise KL: see :func:`functional.channel_wise_divergence`.

    Args:
        tau: Temperature.
        loss_weight: Weight of the loss.

    Examples:
        >>> import torch
        >>> loss = ChannelWiseDivergence(tau=4, loss_weight=3)
        >>> maps = torch.randn(2, 19, 8, 8)
        >>> round(abs(loss(maps, maps + 1).item()), 3)  # the same softmax
        0.0
    """

    def forward(self, preds_S: Tensor, preds_T: Tensor) -> Tensor:
        """Compare maps with shape (N, C, H, W); returns a scalar."""
        return self.loss_weight * functional.channel_wise_divergence(
            preds_S, preds_T, self.tau
        )
