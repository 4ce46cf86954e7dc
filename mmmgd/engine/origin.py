"""What a training is made of: kept in its checkpoints, compared on resume."""

import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from mmengine.config import Config

from mmmgd.checkpoints.digest import sha256
from mmmgd.checkpoints.reading import CheckpointError, local_path

# The file of a teacher, by its content: it may lie elsewhere.
FILE = "SHA-256 of the teacher's file"
# Keys whose old values a resumed optimizer brings along.
OPTIMIZER = 'optim_wrapper.optimizer.type'
KEPT = ('optim_wrapper.optimizer.', 'optim_wrapper.paramwise_cfg.')


class Change(NamedTuple):
    """A key whose value differs between a checkpoint and the config."""

    key: str
    old: str | None
    new: str | None

    def __str__(self) -> str:
        text = f'{self.key}: {self.old} -> {self.new}'
        if self.key.startswith(KEPT) and self.key != OPTIMIZER:
            text += ' (the optimizer goes on with the old one)'
        return text


def origin_of(model: Any, cfg: Config) -> dict[str, str]:
    """Return what a checkpoint says about the training that wrote it.

    Args:
        model: The model that is trained.
        cfg: The whole config.

    Returns:
        The values of ``teacher``, ``distill`` and ``optim_wrapper`` as text,
        by their keys, and the hash of each teacher's file.
    """
    whole = cfg.to_dict()
    parts = {**(whole.get('model') or {}), **whole}
    origin: dict[str, str] = {}
    for part in ('teacher', 'distill', 'optim_wrapper'):
        origin.update(_flat(part, parts.get(part)))
    for key in [k for k in origin if k.startswith('teacher.')]:
        if key.endswith('.checkpoint'):
            del origin[key]
    for name, teacher in getattr(model, 'teachers', {}).items():
        path = local_path(str(teacher.checkpoint))
        if os.path.isfile(path):
            origin[f'{FILE} {name}'.rstrip()] = sha256(path)
    return origin


def check_changes(
    old: Mapping[str, str], new: Mapping[str, str], allow: bool
) -> list[str]:
    """Compare what a checkpoint says with what holds now.

    Args:
        old: :func:`origin_of` of the training that wrote it.
        new: The same of this one.
        allow: Whether the file of a teacher may have changed.

    Returns:
        A line for each key that differs.

    Raises:
        CheckpointError: If the optimizer or the file of a teacher differs.
    """
    found = [
        Change(key, old.get(key), new.get(key))
        for key in [*old, *(key for key in new if key not in old)]
        if old.get(key) != new.get(key)
    ]
    for change in found:
        if change.key == OPTIMIZER:
            raise CheckpointError(
                f'The optimizer of a checkpoint cannot be resumed as another: '
                f'{change}. Restore it, or begin a new training with the '
                'weights: load_from=..., without --resume.'
            )
    # A teacher without a file, then or now, is named by its config.
    files = [c for c in found if c.key.startswith(FILE) and c.old and c.new]
    if files and not allow:
        raise CheckpointError(
            'The checkpoint is of a training with another teacher. '
            f'{files[0]}. Name the file that it began with. Or go on with '
            'this one: --allow-changes of tools/train.py, which is '
            "ResumeHook's allow_changes=True."
        )
    return [str(change) for change in found]


def _flat(key: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flat(f'{key}.{name}', inner)
    else:
        yield key, repr(value)
