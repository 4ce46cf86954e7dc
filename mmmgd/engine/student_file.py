"""The config of the plain student, written into each work dir.

Stock tools read it, with a checkpoint beside it and without this package:
``tools/test.py``, ``init_model``, the inferencers, deployment.
"""

from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmmgd.checkpoints.atomic import write
from mmmgd.config import (
    STUDENT_FILE,
    drop_own_hooks,
    is_of_scope,
    student_config,
)

HEAD = '# The plain student of this run; stock OpenMMLab tools read this.\n'


def write_student(cfg: Config, work_dir: str | Path) -> Path:
    """Write ``student.py``: no base, no teacher, no hook of ours.

    Args:
        cfg: The whole config of a run, distilled or plain.
        work_dir: Folder of the run.
    """
    target = Path(work_dir) / STUDENT_FILE
    text = HEAD + flat_student(cfg).pretty_text
    write(target, text.encode())
    return target


def flat_student(cfg: Config) -> Config:
    """Return the student's config with nothing that needs this package."""
    plain: Any = student_config(cfg).to_dict()
    drop_own_hooks(plain)
    # Of the run, not of the model: a launch, and where it started from.
    plain.update(launcher='none', load_from=None, resume=False)
    imports = plain.get('custom_imports')
    if imports:
        names = imports.get('imports') or []
        names = [names] if isinstance(names, str) else names
        kept = [n for n in names if n.partition('.')[0] != 'mmmgd']
        imports['imports'] = kept
        if not kept:
            del plain['custom_imports']
    wrapper = plain.get('optim_wrapper')
    if wrapper and is_of_scope(wrapper):  # bfloat16 on the CPU, of training
        wrapper['type'] = 'OptimWrapper'
    return Config(plain, format_python_code=cfg._format_python_code)
