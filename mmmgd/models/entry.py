"""One entry of ``distill``, read from the config."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmmgd.points.dry_pass import DryPass
from mmmgd.points.pairs import Pair, pairs_of


@dataclass(frozen=True)
class Entry:
    """What is compared, with which teacher, and how.

    Attributes:
        name: Name of the loss.
        cfg: The entry itself.
        teacher: Name of its teacher; '' where there is one.
        pairs: Its pairs of points.
    """

    name: str
    cfg: Mapping[str, Any]
    teacher: str
    pairs: list[Pair]

    @classmethod
    def read(cls, name: str, cfg: Mapping, teachers: Sequence[str]) -> 'Entry':
        """Read an entry.

        Args:
            name: Name of the loss.
            cfg: The entry.
            teachers: Names of the teachers.

        Raises:
            ValueError: If a key or a name is wrong.
        """
        pairs = pairs_of(name, cfg)
        return cls(name, cfg, _teacher_of(name, cfg, teachers), pairs)

    def by_level(self, student: DryPass, teacher: DryPass) -> list[Pair]:
        """Return one pair for each level that the points run on, in order.

        Raises:
            ValueError: If the two sides have different numbers of levels.
        """
        found = []
        for pair in self.pairs:
            mine = student.levels[pair.student]
            theirs = teacher.levels[pair.teacher]
            if mine != theirs:
                raise ValueError(
                    f'{self.name}: expected as many levels on both sides, but '
                    f"the student's {pair.student!r} runs {mine} times in a "
                    f"pass and the teacher's {pair.teacher!r} {theirs} times. "
                    f"Name levels: dict(student='{pair.student}@0', "
                    f"teacher='{pair.teacher}@0'), …"
                )
            levels = [pair.at_level(i) for i in range(mine)]
            found += levels if mine > 1 else [pair]
        return found


def _teacher_of(name: str, cfg: Mapping, teachers: Sequence[str]) -> str:
    wanted = cfg.get('teacher', '')
    if wanted in teachers:
        return wanted
    if list(teachers) == ['']:
        raise ValueError(
            f'distill.{name} has teacher={wanted!r}, but there is one teacher '
            'without a name. Leave it out, or name it in the model: '
            f'teacher=dict({wanted}=dict(config=…)).'
        )
    got = f'got {wanted!r}' if wanted else 'it says none'
    raise ValueError(
        f'Expected `teacher` of distill.{name} to be one of {list(teachers)}, '
        f'but {got}. Write teacher={teachers[0]!r}.'
    )
