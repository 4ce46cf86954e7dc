"""One distillation loss: its pairs of points, its connectors, its loss."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from mmmgd.points.pairs import Pair

from .auto_weight import AutoWeight
from .lookup import class_of
from .schedule import Schedule
from .totals import total

Shapes = Mapping[str, tuple[int, ...]]


class DistillTerm(nn.Module):
    """One entry of ``MGDDistill(distill=...)``.

    Args:
        name: Name of the loss.
        pairs: What is compared.
        loss: Config of the loss module.
        connector: Config of the connector, built once for each pair.
        student_shapes: Shape of the feature at each point of the student.
        teacher_shapes: The same of the teacher.
        schedule: When the loss ends. Defaults to never.
        auto: Measures the weight of the loss, if it is not a number.

    Raises:
        ValueError: If shapes do not fit each other or what is written.
    """

    def __init__(
        self,
        name: str,
        pairs: Sequence[Pair],
        loss: dict,
        connector: dict | None,
        student_shapes: Shapes,
        teacher_shapes: Shapes,
        schedule: Schedule | None = None,
        auto: AutoWeight | None = None,
    ) -> None:
        super().__init__()
        self.schedule = schedule or Schedule(name)
        self.factor = 1.0
        self.auto = auto
        self.positions = 1
        self.pairs = list(pairs)
        one = len(self.pairs) == 1
        self.log_names = [
            name if one else f'{name}.{i}' for i in range(len(self.pairs))
        ]
        self.connectors = nn.ModuleList()
        for log_name, pair in zip(self.log_names, self.pairs, strict=True):
            s, t = student_shapes[pair.student], teacher_shapes[pair.teacher]
            self._check_grid(log_name, pair, s, t)
            if connector is not None:
                built = _build_connector(connector, s[1], t[1], log_name)
                self.connectors.append(built)
            elif s[1] != t[1]:
                raise ValueError(
                    f'{log_name}: the student has {s[1]} channels at '
                    f'{pair.student!r}, the teacher {t[1]} at '
                    f'{pair.teacher!r}, and there is no connector. Features: '
                    "add connector=dict(type='mmmgd.MGDConnector', ...). "
                    'Logits: both models need the same classes.'
                )
        self.loss = MODELS.build(
            dict(loss, loss_weight=1.0) if auto is not None else loss
        )
        takes = inspect.signature(self.loss.forward).parameters.keys()
        self.extras = {'gt_labels', 'data_samples'} & takes
        self._takes_mask = 'mask' in takes

    def forward(
        self,
        student: Mapping[str, Tensor],
        teacher: Mapping[str, Tensor],
        extras: Mapping[str, Any],
    ) -> dict[str, Tensor]:
        """Compute the loss of each pair.

        Args:
            student: Feature at each point of the student.
            teacher: Feature at each point of the teacher.
            extras: ``gt_labels`` and ``data_samples``, where a loss names
                them; ``own``, the student's own losses.
        """
        if self.factor == 0:
            return self._zeros()
        wanted = {key: extras[key] for key in self.extras}
        losses = {}
        positions = 0
        for i, (log_name, pair) in enumerate(
            zip(self.log_names, self.pairs, strict=True)
        ):
            s, t = student[pair.student], teacher[pair.teacher]
            self._check_gradient(log_name, pair, s)
            self._check_grid(log_name, pair, s.shape, t.shape)
            s, mask = self._connect(i, s, t)
            if mask is not None and self._takes_mask:
                wanted['mask'] = mask
            losses[log_name] = self.loss(s, t, **wanted)
            positions += t[0, 0].numel()
            if self.factor != 1:
                losses[log_name] = self.factor * losses[log_name]
        # Losses that are means do not grow with the map.
        by_position = getattr(self.loss, 'sums_positions', False)
        self.positions = positions if by_position else 1
        return self._weighed(losses, extras)

    def _connect(
        self, i: int, s: Tensor, t: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Return what a connector makes of a feature, and by which mask.

        A connector that has ``draw_mask`` may look at the teacher's feature
        to draw it, and a loss that names ``mask`` receives it.
        """
        if not self.connectors:
            return s, None
        connector: Any = self.connectors[i]
        if not hasattr(connector, 'draw_mask'):
            return connector(s), None
        mask = connector.draw_mask(s, t)
        return connector(s, mask=mask), mask

    def _weighed(
        self, losses: dict[str, Tensor], extras: Mapping[str, Any]
    ) -> dict[str, Tensor]:
        """Multiply with the measured weight, where it is not a number."""
        if self.auto is None:
            return losses
        if self.training:
            raw = total(losses) / self.factor
            self.auto.measure(total(extras['own']), raw, self.positions)
        weight = self.auto.weight(self.positions)
        return {name: weight * loss for name, loss in losses.items()}

    def _zeros(self) -> dict[str, Tensor]:
        """Return zeros in place of losses that no longer count.

        They depend on the connectors, whose parameters DDP expects to take
        part in each step.
        """
        zero = torch.zeros(())
        for parameter in self.parameters():
            zero = zero + 0 * parameter.flatten()[0]
        return dict.fromkeys(self.log_names, zero)

    @staticmethod
    def _check_grid(
        log_name: str, pair: Pair, s: Sequence[int], t: Sequence[int]
    ) -> None:
        if tuple(s[2:]) != tuple(t[2:]):
            raise ValueError(
                f'{log_name}: expected maps of the same height and width, but '
                f"the student's {pair.student!r} is {tuple(s)} and the "
                f"teacher's {pair.teacher!r} is {tuple(t)}. Choose points "
                'with the same stride.'
            )

    @staticmethod
    def _check_gradient(log_name: str, pair: Pair, s: Tensor) -> None:
        if torch.is_grad_enabled() and not s.requires_grad:
            raise RuntimeError(
                f"{log_name}: the student's feature at {pair.student!r} "
                'carries no gradient, so nothing would be learned from it. '
                'The module is frozen, or lies inside activation '
                'checkpointing: choose another point, or switch that off.'
            )


def _build_connector(
    cfg: dict, student: int, teacher: int, log_name: str
) -> nn.Module:
    """Build a connector at the widths that the dry pass has seen."""
    cfg = dict(cfg)
    known = inspect.signature(class_of(cfg, log_name)).parameters
    seen = {'student_channels': student, 'teacher_channels': teacher}
    for key in seen.keys() & known:
        if cfg.get(key) is None:
            cfg[key] = seen[key]
        if cfg[key] != seen[key]:
            raise ValueError(
                f'{log_name}: the config says {key}={cfg[key]}, but the dry '
                f'pass has seen {seen[key]}. Correct it, or leave it out: it '
                'is inferred.'
            )
    return MODELS.build(cfg)
