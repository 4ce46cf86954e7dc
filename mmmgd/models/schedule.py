"""The weight of a distillation loss over the training."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """Ends a loss, at once or by a linear decay; lets it rest between steps.

    Positions are counted as the train loop counts: in epochs, or in
    iterations if ``train_cfg`` has ``by_epoch=False``.

    Attributes:
        name: Name of the loss, for messages.
        until: Where its weight is 0 from; None means it lasts.
        decay_from: Where its weight begins to fall from 1 to 0. Defaults to
            ``until``: it falls at once.
        every: The loss takes part in each ``every``-th step, with ``every``
            times its weight: in the mean over steps it counts as before, and
            in the others neither teacher nor connector runs.

    Raises:
        ValueError: If not 0 <= decay_from <= until, or until is not above 0,
            or ``every`` is not a whole number from 1.
    """

    name: str
    until: float | None = None
    decay_from: float | None = None
    every: int = 1

    def __post_init__(self) -> None:
        where = f'distill[{self.name!r}]'
        if not isinstance(self.every, int) or self.every < 1:
            raise ValueError(
                f'Expected `every` of {where} to be a whole number from 1 (2: '
                f'distil in each second step), but got {self.every!r}.'
            )
        if self.until is None:
            if self.decay_from is not None:
                raise ValueError(
                    f'{where} has decay_from={self.decay_from!r}, but no '
                    '`until`, where the weight has fallen to 0. Add it.'
                )
            return
        start = self.until if self.decay_from is None else self.decay_from
        for key, value in (('until', self.until), ('decay_from', start)):
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ValueError(
                    f'Expected {key} of {where} to be a number of epochs (or '
                    f'of iterations, with by_epoch=False), but got {value!r}.'
                )
        if not 0 <= start <= self.until or self.until == 0:
            raise ValueError(
                f'Expected 0 <= decay_from <= until and until > 0 in {where}, '
                f'but got decay_from={self.decay_from}, until={self.until}.'
            )

    def factor(self, position: float, step: int = 0) -> float:
        """Return the factor of the loss weight in a training step."""
        return 0.0 if step % self.every else self.every * self.mean(position)

    def mean(self, position: float) -> float:
        """Return the factor at a position, in [0, 1], averaged over steps."""
        if self.until is None:
            return 1.0
        if position >= self.until:
            return 0.0
        start = self.until if self.decay_from is None else self.decay_from
        if position <= start:
            return 1.0
        return (self.until - position) / (self.until - start)

    def check(self, end: float, unit: str) -> None:
        """Refuse an ``until`` after the end of the training.

        Raises:
            ValueError: If ``until`` lies behind ``end``.
        """
        if self.until is not None and self.until > end:
            raise ValueError(
                f'distill[{self.name!r}] has until={self.until}, but the '
                f'training ends after {end} {unit}. Choose until <= {end}, or '
                'leave it out.'
            )
