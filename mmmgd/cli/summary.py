"""The summary that `new` prints: facts, choices, next steps."""

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from mmmgd.report.data_facts import same_classes
from mmmgd.report.flops import parameters_of
from mmmgd.report.proposal import Proposal
from mmmgd.report.sides import Side
from mmmgd.teacher.normalization import normalization_of

from .config_text import literal


def facts(task: str, student: Side, teacher: Side) -> list[str]:
    """Say in sentences what the two models have in common."""
    student_text, teacher_text = (
        f'{_name(side.model)}, {parameters_of(side.model) / 1e6:.1f} M'
        for side in (student, teacher)
    )
    text = {
        True: 'the same in both',
        False: 'others in the teacher, which features do not mind',
        None: 'not known to be the same, which features do not mind',
    }[same_classes(student.classes, teacher.classes)]
    mine, theirs = (
        normalization_of(getattr(side.model, 'data_preprocessor', None))
        for side in (student, teacher)
    )
    if theirs is None:
        normalized = 'the teacher states none and gets that of the student'
    elif mine == theirs:
        normalized = 'the same in both'
    else:
        normalized = 'the teacher has another one and gets its own'
    return [
        f'Student: {student_text} parameters; teacher: {teacher_text}.',
        f'Task: {task}.',
        f'Classes: {text}. Normalisation: {normalized}.',
    ]


def _name(model: nn.Module) -> str:
    backbone = getattr(model, 'backbone', None)
    inner = f' with {type(backbone).__name__}' if backbone else ''
    return f'{type(model).__name__}{inner}'


def summary(out: Path, chosen: Proposal, head: Sequence[str]) -> list[str]:
    """Say what was chosen and why, what is unknown, and what comes next."""
    lines = list(head)
    for key, reason in chosen.why.items():
        value = _chosen_value(key, chosen)
        lines.append(f'{key}: {value}' if value else f'{key}:')
        lines += [f'    {line}' for line in reason.splitlines()]
    if chosen.unknown:
        lines.append('Not known:')
        lines += [f'    {sentence}' for sentence in chosen.unknown]
    return [
        *lines,
        f'Wrote {out}. Next:',
        f'    python -m mmmgd calibrate {out}',
        f'    python -m mmmgd train {out}',
    ]


def _chosen_value(key: str, chosen: Proposal) -> str:
    """Return a choice as text; '' where the reason tells it."""
    main = next(iter(chosen.terms.values()))
    if key == 'connector':
        return literal(main['connector'])
    if key == 'loss_weight':
        return literal(main['loss']['loss_weight'])
    if key == 'inherit':
        return ', '.join(chosen.inherit) or 'nothing'
    if key == 'clip_grad':
        return f'{chosen.clip:g}'
    return ''
