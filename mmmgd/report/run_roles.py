"""Tell the teacher, the student alone and the distilled student apart."""

from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from mmmgd.config import (
    is_distilled,
    read_config,
    student_config,
    teacher_configs,
)

from .run_log import RunLog

TEACHER, STUDENT, DISTILLED = 'teacher', 'student alone', 'distilled'


def roles_of(runs: Sequence[RunLog], teacher: str | None = None) -> list[str]:
    """Say what each run is: teacher, student alone, distilled, or ''.

    A distilled run tells by its config who its teacher and its student are.

    Args:
        runs: The runs.
        teacher: Work dir of the teacher, where the configs do not tell.

    Raises:
        ValueError: If the teacher that is named is none of the runs.
    """
    folders = [run.folder.resolve() for run in runs]
    named = Path(teacher).expanduser().resolve() if teacher else None
    if named and named not in folders:
        raise ValueError(
            f'Expected --teacher to be one of the runs, but got {teacher!r}.'
        )
    distilled = [run for run in runs if run.cfg and is_distilled(run.cfg)]
    roles = []
    for run, folder in zip(runs, folders, strict=True):
        if run in distilled:
            roles.append(DISTILLED)
        elif (
            folder == named
            if named
            else any(_teaches(run, other) for other in distilled)
        ):
            roles.append(TEACHER)
        elif any(_is_student_of(run, other) for other in distilled):
            roles.append(STUDENT)
        else:
            roles.append('')
    return roles


def _teaches(run: RunLog, distilled: RunLog) -> bool:
    """Whether a teacher's file lies in a work dir, or it is that model."""
    assert distilled.cfg is not None
    for one in teacher_configs(distilled.cfg.model.teacher).values():
        file = one.get('checkpoint')
        if file and '://' not in file:
            path = Path(file).expanduser().resolve()
            if run.folder.resolve() in path.parents:
                return True
        if run.cfg and _model(one.get('config')) == run.cfg.model:
            return not _is_student_of(run, distilled)
    return False


def _model(config: object) -> object:
    """Return the model of a teacher's config, where it can be read."""
    if not isinstance(config, str):
        return config
    try:
        return student_config(read_config(config)).model
    except (OSError, ValueError, AttributeError, ImportError):
        return None  # moved since


def _is_student_of(run: RunLog, distilled: RunLog) -> bool:
    assert distilled.cfg is not None
    mine, theirs = run.cfg, student_config(distilled.cfg)
    return bool(mine) and _network(mine) == _network(theirs)


def _network(cfg: Config) -> dict:
    """Return a model's config without what may stand at the top as well."""
    model = dict(cfg.model)
    model.pop('data_preprocessor', None)
    return model
