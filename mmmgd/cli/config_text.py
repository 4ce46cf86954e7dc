"""Writing a distillation config that is short enough to be read."""

import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

from mmmgd.points.pairs import Pair
from mmmgd.report.proposal import Proposal

WIDTH = 79


class Names(NamedTuple):
    """How a config names what lies outside of it.

    Attributes:
        student: Its ``_base_``.
        teacher: Config of the teacher.
        checkpoint: Weights of the teacher; None means the published ones.
        empty_clip: Whether the student has a ``clip_grad`` of None, which
            MMEngine merges no dict into.
        dead: Keys of the student's config that MMEngine never reads.
    """

    student: str
    teacher: str
    checkpoint: str | None
    empty_clip: bool = False
    dead: Sequence[str] = ()


def config_text(names: Names, chosen: Proposal, head: Sequence[str]) -> str:
    """Write a config, with one comment a choice.

    Args:
        names: What it builds on.
        chosen: What it says.
        head: Sentences to begin with.
    """
    teacher = dict(config=names.teacher)
    if names.checkpoint is not None:
        teacher['checkpoint'] = names.checkpoint
    lines = [
        *_comments(head, ''),
        f'_base_ = {names.student!r}',
        '',
        'model = dict(',
        '    _delete_=True,',
        "    type='mmmgd.MGDDistill',",
        '    student=_base_.model,',
        *_entry('teacher', teacher, 4),
    ]
    why = chosen.why
    if chosen.inherit:
        lines += _comments([why['inherit']], '    ')
        lines += _entry('inherit', chosen.inherit, 4)
    lines.append('    distill=dict(')
    for name, term in chosen.terms.items():
        lines += _term(name, term, why)
    lines += ['    ),', ')', '']
    if chosen.clip:
        norm = dict(max_norm=chosen.clip, norm_type=2)
        if names.empty_clip:
            norm = dict(_delete_=True, **norm)
        lines += _comments([why['clip_grad']], '')
        lines.append(f'optim_wrapper = {literal(dict(clip_grad=norm))}')
    for key in names.dead:
        unread = (
            f"The student's `{key}` is of MMCV 1.x; MMEngine never reads it."
        )
        lines += [*_comments([unread], ''), f'{key} = None']
    lines += [
        "default_hooks = dict(distill=dict(type='mmmgd.DistillHook'))",
        '',
    ]
    return '\n'.join(lines)


def _term(name: str, term: dict[str, Any], why: dict[str, str]) -> list[str]:
    """Write an entry of ``distill``."""
    lines = _comments([why[name]] if name in why else [], ' ' * 8)
    lines.append(f'        {name}=dict(')
    main = name not in why
    for key in ('points', 'resize', 'connector', 'loss'):
        if key not in term:
            continue
        reason = 'loss_weight' if key == 'loss' else key
        if main:
            lines += _comments(why[reason].splitlines(), ' ' * 12)
        value = term[key]
        if key == 'points':
            value = [written(pair) for pair in value]
            value = value[0] if len(value) == 1 else value
        lines += _entry(key, value, 12)
    return [*lines, '        ),']


def written(pair: Pair) -> str | dict[str, str]:
    """Return a pair as a config has it."""
    if pair.student == pair.teacher:
        return pair.student
    return dict(student=pair.student, teacher=pair.teacher)


def _entry(key: str, value: Any, indent: int) -> list[str]:
    """Write an argument on one line where it fits, else on several."""
    space = ' ' * indent
    line = f'{space}{key}={literal(value)},'
    if len(line) <= WIDTH or not isinstance(value, (dict, list)):
        return [line]
    inner: list[str] = []
    if isinstance(value, dict):
        for k, v in value.items():
            inner += _entry(k, v, indent + 4)
        return [f'{space}{key}=dict(', *inner, f'{space}),']
    inner = [f'{space}    {literal(v)},' for v in value]
    return [f'{space}{key}=[', *inner, f'{space}],']


def literal(value: Any) -> str:
    """Return a value as a config has it."""
    if isinstance(value, dict):
        return (
            f'dict({", ".join(f"{k}={literal(v)}" for k, v in value.items())})'
        )
    if isinstance(value, (list, tuple)):
        return f'[{", ".join(map(literal, value))}]'
    return repr(value)


def _comments(sentences: Sequence[str], space: str) -> list[str]:
    width = WIDTH - len(space) - 2
    return [
        f'{space}# {line}'
        for sentence in sentences
        for line in textwrap.wrap(sentence, width)
    ]
