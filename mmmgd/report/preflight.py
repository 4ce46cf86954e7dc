"""What is about to be trained, in twenty lines, and what looks wrong in it."""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config
from torch import nn

from mmmgd.checkpoints.reading import local_path
from mmmgd.models.distill import MGDDistill
from mmmgd.points.candidates import stride_of
from mmmgd.points.dry_pass import SIZE, dry_pass
from mmmgd.points.pairs import Pair
from mmmgd.teacher.normalization import normalization_of
from mmmgd.teacher.teacher import Teacher

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
    report = Report(
        [f'Before step 1 (features of a {SIZE}x{SIZE} image):'], []
    )
    _teacher(report, model.teacher)
    report.add('inherited', inherited_text(model))
    pairs = _pairs(model)
    points = [pair.student for _, pair, _ in pairs]
    shapes = dry_pass(model.student, points, 'student').shapes
    for name, pair, _ in pairs:
        student = _feature(pair.student, shapes[pair.student])
        teacher = _feature(pair.teacher, model.teacher.shapes[pair.teacher])
        report.add(name, f'{student} <- {teacher}')
    _input(report, model)
    _costs(report, model, pairs, shapes)
    text, warning = batch_text(cfg, processes)
    report.add('batch', text)
    report.warnings.extend([warning] if warning else [])
    clip = (cfg.get('optim_wrapper') or {}).get('clip_grad')
    text = ', '.join(f'{k}={v}' for k, v in clip.items()) if clip else 'off'
    report.add('clip_grad', text)
    return report


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def inherited_text(model: MGDDistill) -> str:
    """Say which tensors of the student start from the teacher's."""
    counts = {
        part: len(model.student.get_submodule(part).state_dict())
        for part in model.inherit
    }
    if not counts:
        return 'nothing'
    return f'{sum(counts.values())} tensors: ' + ', '.join(counts)


def _teacher(report: Report, teacher: Teacher) -> None:
    report.add('teacher', f'{type(teacher.module).__name__} ({teacher.name})')
    if teacher.checkpoint is False:
        report.add('', 'random weights (checkpoint=False)')
        report.warnings.append(
            '[teacher-weights] The teacher has random weights (teacher.'
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


def _pairs(model: Any) -> list[tuple[str, Pair, nn.Module | None]]:
    """List each pair with its name in the log and its connector."""
    return [
        row
        for term in model.terms.values()
        for row in zip_longest(term.log_names, term.pairs, term.connectors)
    ]


def _feature(point: str, shape: Sequence[int]) -> str:
    stride = stride_of(shape, SIZE)
    size = 'x'.join(map(str, shape[1:]))
    return f'{point} {size}' + (f' /{stride:g}' if stride else '')


def _input(report: Report, model: MGDDistill) -> None:
    student = normalization_of(getattr(model, 'data_preprocessor', None))
    teacher = normalization_of(
        getattr(model.teacher.module, 'data_preprocessor', None)
    )
    report.add('input', f'student: {student}')
    if teacher is None:
        report.add('', 'teacher: states none, gets the same')
        report.warnings.append(
            '[teacher-input] The config of the teacher states no '
            "`data_preprocessor`, so it gets the student's input "
            f'({student}). If it was trained on another one, its features '
            'are meaningless: write it into teacher.config.'
        )
    elif teacher == student:
        report.add('', 'teacher: the same')
    else:
        report.add('', f'teacher: re-normalised, {teacher}')


def _costs(
    report: Report,
    model: MGDDistill,
    pairs: Sequence[tuple[str, Pair, nn.Module | None]],
    shapes: Mapping[str, tuple[int, ...]],
) -> None:
    """Add parameters, FLOPs and shares of the step."""
    teacher = model.teacher
    connectors = [(c, shapes[p.student]) for _, p, c in pairs if c is not None]
    student_cost, missing = model_flops(model.student, SIZE)
    costs = [
        student_cost,
        teacher_flops(teacher.module, list(teacher.shapes), SIZE),
        sum(connector_flops(c, shape) for c, shape in connectors),
    ]
    sizes = [
        parameters_of(model.student),
        parameters_of(teacher.module),
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
