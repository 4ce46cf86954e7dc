"""One entry of ``distill``: pairs of points, connectors and a loss."""

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.dist import is_distributed
from mmengine.registry import MODELS
from torch import Tensor, nn

from mmmgd.points.dry_pass import DryPass
from mmmgd.points.pairs import Pair

from .auto_weight import auto_weight
from .entry import Entry
from .fit import (
    ON_MAPS,
    check_grid,
    check_maps,
    check_pair,
    check_sample,
)
from .lookup import class_of
from .resize import resize_map
from .schedule import Schedule
from .totals import total


class DistillTerm(nn.Module):
    """Computes the losses of one entry of ``MGDDistill(distill=...)``.

    Args:
        entry: The entry, read.
        student: What the dry pass has seen of the student.
        teacher: The same of its teacher.

    Raises:
        ValueError: If features do not fit each other or what is written.
    """

    def __init__(
        self, entry: Entry, student: DryPass, teacher: DryPass
    ) -> None:
        super().__init__()
        cfg, self.name, self.teacher = entry.cfg, entry.name, entry.teacher
        self.schedule = Schedule(
            self.name,
            cfg.get('until'),
            cfg.get('decay_from'),
            cfg.get('every', 1),
        )
        self.factor = self.mean_factor = 1.0
        self.auto = auto_weight(self.name, cfg)
        self.positions = 1
        # The side whose maps take the size of the other's, if any.
        self.resize = cfg.get('resize')
        self.pairs = entry.by_level(student, teacher)
        one = len(self.pairs) == 1
        self.log_names = [
            self.name if one else f'{self.name}.{i}'
            for i in range(len(self.pairs))
        ]
        self.connectors = nn.ModuleList()
        for log_name, pair in zip(self.log_names, self.pairs, strict=True):
            self._add(log_name, pair, student, teacher, cfg.get('connector'))
        loss = cfg['loss']
        self.loss = MODELS.build(
            dict(loss, loss_weight=1.0) if self.auto is not None else loss
        )
        check_sample(self.name, self.connectors, self.loss)
        takes = inspect.signature(self.loss.forward).parameters.keys()
        self.extras = {'gt_labels', 'data_samples'} & takes
        self._takes_mask = 'mask' in takes

    def _add(
        self,
        log_name: str,
        pair: Pair,
        student: DryPass,
        teacher: DryPass,
        connector: Mapping | None,
    ) -> None:
        """Check a pair, and build its connector."""
        check_pair(log_name, pair, student, teacher, connector is not None)
        s, t = student.shapes[pair.student], teacher.shapes[pair.teacher]
        cls = connector and class_of(connector, log_name)
        if self.resize or cls in ON_MAPS:
            what = 'resize' if self.resize else 'the connector'
            check_maps(log_name, what, pair, student, teacher)
        if self.resize is None:
            check_grid(log_name, self.name, pair, s, t)
        if connector is not None:
            built = _build_connector(connector, s[1], t[1], log_name)
            self.connectors.append(built)

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
            s, t = self.resized(s, t)
            check_grid(log_name, self.name, pair, s.shape, t.shape)
            s, compared, mask = self._connect(i, s, t)
            if mask is not None and self._takes_mask:
                wanted['mask'] = mask
            loss = self.loss(s, compared, **wanted)
            positions += t[0, 0].numel()
            factor = self.factor * (t.shape[1] / compared.shape[1])
            losses[log_name] = loss if factor == 1 else factor * loss
        # Losses that are means do not grow with the map.
        is_sum = getattr(self.loss, 'is_sum', False)
        self.positions = positions if is_sum else 1
        return self._weighed(losses, extras)

    def _connect(
        self, i: int, s: Tensor, t: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return both sides of the loss, and the mask of the connector.

        A connector that has ``draw_mask`` may look at the teacher's feature
        to draw it, and a loss that names ``mask`` receives it. One that has a
        ``sample`` of the channels generates them alone.
        """
        if not self.connectors:
            return s, t, None
        connector: Any = self.connectors[i]
        if not hasattr(connector, 'draw_mask'):
            return connector(s), t, None
        mask = connector.draw_mask(s, t)
        if getattr(connector, 'sample', 1) == 1:
            return connector(s, mask=mask), t, mask
        channels = connector.draw_channels(s)
        s = connector(s, mask=mask, channels=channels)
        return s, t if channels is None else t[:, channels], mask

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

        They depend on the connectors where those still learn (`every`), and
        wherever DDP expects all parameters to take part in each step.
        """
        zero = torch.zeros(())
        if self.mean_factor == 0 and not is_distributed():
            # Gradients of 0 cost memory traffic and a step of the optimizer.
            return dict.fromkeys(self.log_names, zero)
        for parameter in self.parameters():
            # Not by flatten, which copies a kernel that lies by position.
            zero = zero + 0 * parameter[(0,) * parameter.dim()]
        return dict.fromkeys(self.log_names, zero)

    def resized(self, s: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Bring one side to the size of the other, if asked to."""
        if self.resize == 'student':
            return resize_map(s, t.shape[2:]), t
        if self.resize == 'teacher':
            return s, resize_map(t, s.shape[2:])
        return s, t

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
    cfg: Mapping, student: int, teacher: int, log_name: str
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
