"""The report before step 1: what is trained, and warnings."""

from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config
from torch import nn

from mmmgd.checkpoints.digest import sha256
from mmmgd.checkpoints.reading import local_path
from mmmgd.models.distill import MGDDistill
from mmmgd.points.dry_pass import DryPass
from mmmgd.points.layout import Shape, stride_of
from mmmgd.points.pairs import Pair
from mmmgd.teacher.normalization import normalization_of
from mmmgd.teacher.teacher import Teacher

from .advice import teacher_advice
from .effective_batch import batch_text
from .flops import (
    connector_flops,
    model_flops,
    parameters_of,
    step_shares,
    teacher_flops,
)


class Report(NamedTuple):
    """Lines to read, and warnings that begin with ``[name]``."""

    lines: list[str]
    warnings: list[str]

    def add(self, head: str, text: str) -> None:
        """Append a line."""
        self.lines.append(f'  {head:12}{text}')


def preflight(model: MGDDistill, cfg: Config, processes: int = 1) -> Report:
    """Describe a run before its first step.

    Args:
        model: The model, on any device. Nothing of it changes.
        cfg: The whole config.
        processes: World size.
    """
    height, width = model.seen.image
    report = Report(
        [f'Before step 1 (features of a {height}x{width} image):'], []
    )
    for name, teacher in _present(model).items():
        _teacher(report, name, teacher)
        if advice := teacher_advice(teacher, cfg):
            report.add('', advice)
    report.add('inherited', inherited_text(model))
    for row in _pairs(model):
        report.add(row.name, row.text())
    _input(report, model)
    _costs(report, model)
    text, warning = batch_text(cfg, processes)
    report.add('batch', text)
    report.warnings.extend([warning] if warning else [])
    clip = (cfg.get('optim_wrapper') or {}).get('clip_grad')
    text = ', '.join(f'{k}={v}' for k, v in clip.items()) if clip else 'off'
    report.add('clip_grad', text)
    return report


def inherited_text(model: MGDDistill) -> str:
    """Say which tensors of the student start from a teacher's."""
    counts = {
        part: len(model.student.get_submodule(part).state_dict())
        for parts in model.inherit.values()
        for part in parts
    }
    if not counts:
        return 'nothing'
    return f'{sum(counts.values())} tensors: ' + ', '.join(counts)


def _present(model: MGDDistill) -> dict[str, Teacher]:
    """Return the teachers that have not been freed: by a run resumed late."""
    return {n: t for n, t in model.teachers.items() if not t.freed}


def _teacher(report: Report, name: str, teacher: Teacher) -> None:
    head = f'teacher {name}'.rstrip()
    report.add(head, f'{type(teacher.module).__name__} ({teacher.name})')
    if teacher.checkpoint is False:
        report.add('', 'random weights (checkpoint=False)')
        report.warnings.append(
            f'[teacher-weights] The {head} has random weights (teacher.'
            'checkpoint=False). Name the file of a trained one, unless this '
            'is a test.'
        )
        return
    path = Path(local_path(str(teacher.checkpoint)))
    if not path.is_file():
        report.add('', f'no file yet: {teacher.checkpoint}')
        return
    report.add('', str(path))
    report.add('', f'SHA-256 {sha256(path)}')
    if teacher.loaded:
        n = teacher.tensors
        report.add('', f'{n}/{n} tensors of the part that is used')


class Row(NamedTuple):
    """A pair of points, as the report names it."""

    name: str
    pair: Pair
    connector: nn.Module | None
    student: DryPass
    teacher: DryPass
    resize: str | None

    def text(self) -> str:
        """Return both points with shape and stride."""
        student = _feature(self.pair.student, self.student)
        teacher = _feature(self.pair.teacher, self.teacher)
        return f'{student} <- {teacher}'

    def generated(self) -> Shape:
        """Return the shape of what the connector is given."""
        n, c, *grid = self.student.shapes[self.pair.student]
        if self.resize == 'student':
            grid = list(self.teacher.shapes[self.pair.teacher][2:])
        return n, c, *grid


def _pairs(model: Any) -> list[Row]:
    """List each pair with its name in the log and its connector."""
    return [
        Row(*row, model.seen, model.teachers[term.teacher].seen, term.resize)
        for term in model.terms.values()
        for row in zip_longest(term.log_names, term.pairs, term.connectors)
    ]


def _feature(point: str, seen: DryPass) -> str:
    shape = seen.shapes[point]
    is_map = seen.layouts[point].is_map
    stride = stride_of(shape, seen.image) if is_map else None
    size = 'x'.join(map(str, shape[1:]))
    return f'{point} {size}' + (f' /{stride:g}' if stride else '')


def _input(report: Report, model: MGDDistill) -> None:
    student = normalization_of(getattr(model, 'data_preprocessor', None))
    report.add('input', f'student: {student}')
    for name, teacher in _present(model).items():
        head = f'teacher {name}'.rstrip()
        theirs = normalization_of(
            getattr(teacher.module, 'data_preprocessor', None)
        )
        size = teacher.seen.image
        resized = f', at {size[0]}x{size[1]}' * (size != model.seen.image)
        if theirs is None:
            report.add('', f'{head}: states none, gets the same{resized}')
            report.warnings.append(
                f'[teacher-input] The config of the {head} states no '
                "`data_preprocessor`, so it gets the student's input "
                f'({student}). If it was trained on another one, its features '
                'are meaningless: write it into teacher.config.'
            )
        elif theirs == student:
            report.add('', f'{head}: the same{resized}')
        else:
            report.add('', f'{head}: re-normalised, {theirs}{resized}')


def _costs(report: Report, model: MGDDistill) -> None:
    """Add parameters, FLOPs and shares of the step."""
    connectors = [
        (row.connector, row.generated())
        for row in _pairs(model)
        if row.connector is not None
    ]
    teachers = _present(model).values()
    student_cost, missing = model_flops(model.student, model.seen.image)
    costs = [
        student_cost,
        sum(teacher_flops(t.module, t.seen) for t in teachers),
        sum(connector_flops(c, shape) for c, shape in connectors),
    ]
    sizes = [
        parameters_of(model.student),
        parameters_of(*(t.module for t in teachers)),
        parameters_of(*(c for c, _ in connectors)),
    ]
    notes = [
        f'without {missing}' if missing else '',
        'up to the deepest point',
        '',
    ]
    for i, (head, size, cost, share, note) in enumerate(
        zip(
            ('student', 'teacher', 'connectors'),
            sizes,
            costs,
            step_shares(*costs),
            notes,
            strict=True,
        )
    ):
        report.add(
            '' if i else 'cost',
            f'{head}: {size / 1e6:.2f} M parameters, {cost / 1e9:.3f} GFLOPs, '
            f'{share:.0%} of a step predicted'
            + (f' ({note})' if note else ''),
        )
