"""Find a student or a teacher by a config, checkpoint, work dir or name."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from mmengine.config import Config

from mmmgd.checkpoints.reading import CheckpointError, read_file
from mmmgd.config import (
    STUDENT_FILE,
    close_names,
    is_distilled,
    package_configs,
    read_config,
    student_config,
)
from mmmgd.teacher.build import published_weights

PACKAGES = ('mmpretrain', 'mmdet', 'mmseg')


class Source(NamedTuple):
    """A model that somebody named.

    Attributes:
        cfg: Its config; that of the student, if it is distilled itself.
        config: How a config names it: ``pkg::path`` or a path. Empty if it
            has to be written, for it was found inside a checkpoint.
        checkpoint: Path or URL of its weights; None means the published ones.
        meta: What the checkpoint says about itself.
    """

    cfg: Config
    config: str
    checkpoint: str | None
    meta: dict[str, Any]

    @property
    def missing(self) -> bool:
        """Whether the weights are named by a path at which there is none."""
        name = self.checkpoint
        if name is None or '://' in name:
            return False
        return not Path(name).expanduser().is_file()


def read_student(name: str) -> Config:
    """Read the config of a plain student.

    Raises:
        ValueError: If it has a teacher, or no model.
    """
    cfg = read_config(name)
    if is_distilled(cfg):
        raise ValueError(
            f'Expected the config of a plain student, but {name} trains with '
            'a teacher already. Name the config that it is based on.'
        )
    if 'model' not in cfg:
        raise ValueError(f'Expected a `model` in {name}, but it has none.')
    return cfg


def find_teacher(name: str, checkpoint: str | None = None) -> Source:
    """Find a teacher from a config, checkpoint, work dir or published name.

    Args:
        name: ``pkg::path``, path of a config, of a checkpoint that carries
            its config, of a work dir, or the name of a published model.
        checkpoint: Its weights, where the name alone does not tell.

    Raises:
        FileNotFoundError: If there is nothing of that name.
        ValueError: If the weights are not known, or carry no config.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        return _of_work_dir(path, checkpoint)
    if path.suffix in ('.pth', '.pt', '.safetensors') or '://' in name:
        return _of_checkpoint(name)
    if '::' not in name and path.suffix != '.py':
        name, weights = _published(name)
        checkpoint = checkpoint or weights
    cfg = read_config(name)
    if checkpoint is None:
        published_weights(name)  # its error says what is missing
    return Source(student_config(cfg), name, checkpoint, {})


def _of_work_dir(folder: Path, checkpoint: str | None) -> Source:
    """Take the plain model of a run and its best, else its last file."""
    config = folder / STUDENT_FILE
    if not config.is_file():
        raise FileNotFoundError(
            f'Expected {STUDENT_FILE} in the work dir {str(folder)!r}, which '
            'our training writes, but there is none. Name the config and '
            '--teacher-checkpoint instead.'
        )
    checkpoint = checkpoint or weights_of(folder)
    return Source(read_config(str(config)), str(config), checkpoint, {})


def weights_of(folder: Path) -> str:
    """Return the best, else the newest checkpoint of a work dir.

    Raises:
        FileNotFoundError: If there is none.
    """
    files = sorted(folder.glob('*.pth'), key=lambda p: p.stat().st_mtime)
    if not files:
        raise FileNotFoundError(
            f'Expected a checkpoint in the work dir {str(folder)!r}, but '
            'there is no .pth file. Train it first.'
        )
    best = [p for p in files if p.name.startswith('best_')]
    return str((best or files)[-1])


def _of_checkpoint(path: str) -> Source:
    """Take the config that MMEngine keeps in a checkpoint."""
    content = read_file(path)
    meta = content.get('meta') if isinstance(content, dict) else None
    text = (meta or {}).get('cfg')
    if not isinstance(text, str):
        raise CheckpointError(
            f'{path!r} does not carry the config of its model, as files that '
            'MMEngine writes do. Name the config by --teacher CONFIG and the '
            'file by --teacher-checkpoint.'
        )
    cfg = student_config(Config.fromstring(text, '.py'))
    return Source(cfg, '', path, dict(meta or {}))


def _published(name: str) -> tuple[str, str]:
    """Return config and weights of a model that a package publishes."""
    names: list[str] = []
    for package in filter(find_spec, PACKAGES):
        for file in package_configs(package).glob('*/metafile.y*ml'):
            text = file.read_text(encoding='utf-8')
            found = re.findall(r'^ *- Name: *(\S+)', text, re.MULTILINE)
            if name in found and (model := _model(text, package, name)):
                return model
            names += found
    close = close_names(name, names)
    raise FileNotFoundError(
        'Expected a config, a checkpoint, a work dir or the name of a '
        f'published model, but got {name!r}.'
        + (f' Close names: {", ".join(close)}.' if close else '')
    )


def _model(text: str, package: str, name: str) -> tuple[str, str] | None:
    """Read one model of a metafile; None if it has no weights."""
    for model in yaml.safe_load(text).get('Models') or []:
        if model['Name'] == name and {'Config', 'Weights'} <= set(model):
            path = model['Config'].partition('/')[2]
            return f'{package}::{path}', model['Weights']
    return None
