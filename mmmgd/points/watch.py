"""Record which modules of a model run in one pass."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from .forward import PassEnded, Way, run_blank
from .hooked import hooked
from .image_size import DryPassError, Size
from .layout import Shape
from .paths import check_calls, pick, split_point

# Where the config says the size of the image, by side.
HINTS = {
    'student': 'image_size=… in the model',
    'teacher': 'teacher=dict(…, input_size=…), or multiple_of=14 for patches '
    'of 14 pixels',
}


@dataclass
class Seen:
    """The record of one pass.

    Attributes:
        shapes: Shapes at each point, in the order of its runs.
        calls: How often the module of each point ran.
        entered: Modules that had started to run when the last point had run.
        completed: Those of them that had also returned.
        wrong: Why a point names no tensor.
    """

    shapes: dict[str, list[Shape]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    entered: set[str] = field(default_factory=set)
    completed: set[str] = field(default_factory=set)
    wrong: Exception | None = None

    def by_level(self) -> dict[str, Shape]:
        """Return the shape of each point, and of each of its levels."""
        return {
            f'{point}@{i}' if len(shapes) > 1 else point: shape
            for point, shapes in self.shapes.items()
            for i, shape in enumerate(shapes)
        }


def watched_pass(
    model: nn.Module, points: Sequence[str], side: str, image: Size, way: Way
) -> Seen:
    """Run a model once on a blank image and note what happens.

    Args:
        model: The model.
        points: Its points.
        side: 'student' or 'teacher', for messages.
        image: Height and width of the image in pixels.
        way: How to run it.

    Raises:
        ValueError: If a point names no tensor.
        DryPassError: If the model failed before all points had run.
        RuntimeError: If a point did not run, or several times on one level.
    """
    names = {split_point(point).module for point in points}
    watch = _Watch(points, side)
    try:
        with hooked(model.named_modules(), watch.leave, watch.enter):
            run_blank(model, image, way)
    except PassEnded:
        pass
    except Exception as error:
        if watch.seen is None:
            missing = sorted(n for n in names if not watch.now.calls[n])
            raise DryPassError(
                f'The {side} failed on a {image[0]}x{image[1]} image before '
                f'the point(s) {missing} ran: {type(error).__name__}: '
                f'{error}. If it takes other sizes only, write {HINTS[side]}.'
            ) from error
    if watch.now.wrong is not None:
        raise watch.now.wrong
    return watch.checked()


class _Watch:
    """Hooks on all modules of a model, for the time of one pass."""

    def __init__(self, points: Sequence[str], side: str) -> None:
        self.points, self.side = list(dict.fromkeys(points)), side
        self.names = {split_point(point).module for point in points}
        self.now = Seen()
        self.seen: Seen | None = None

    def enter(self, name: str, module: nn.Module, args: Any) -> None:
        self.now.entered.add(name)

    def leave(
        self, name: str, module: nn.Module, args: Any, output: Any
    ) -> None:
        now = self.now
        now.completed.add(name)
        if name in self.names:
            self._note(name, output)
        ours = name in self.names or not self.names
        if ours and all(now.calls[n] for n in self.names):
            self.seen = Seen(
                now.shapes, now.calls, set(now.entered), set(now.completed)
            )
        if self.seen is not None and '.' not in name:
            raise PassEnded

    def _note(self, name: str, output: Any) -> None:
        for point in self.points:
            path = split_point(point)
            if path.module == name and path.run in (
                None,
                self.now.calls[name],
            ):
                try:
                    shape = tuple(pick(output, point, self.side).shape)
                except ValueError as error:
                    self.now.wrong = error
                    raise PassEnded from error
                self.now.shapes.setdefault(point, []).append(shape)
        self.now.calls[name] += 1

    def checked(self) -> Seen:
        """Return what was seen if each point ran once, or once on a level."""
        ambiguous = [
            p
            for p in self.points
            if len(set(shapes := self.now.shapes.get(p, []))) < len(shapes)
        ]
        absent = [p for p in self.points if p not in self.now.shapes]
        check_calls(self.now.calls, ambiguous + absent, self.side)
        assert self.seen is not None
        return self.seen
