"""Make every saved file hold the plain student."""

import logging

from mmengine.hooks import CheckpointHook, Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmmgd.checkpoints.atomic import BACKEND
from mmmgd.checkpoints.fit import Misfit, load_fitting
from mmmgd.checkpoints.reading import CheckpointError, guard_mmengine
from mmmgd.checkpoints.state_dicts import SECTION, is_state_dict, sub_state
from mmmgd.config import check_config
from mmmgd.engine.clip import clip_apart
from mmmgd.engine.inputs import check_inputs
from mmmgd.engine.optim import check_optimizer
from mmmgd.engine.runner import check_not_sharded, model_of
from mmmgd.engine.section import check_resumable, move_aside, restore
from mmmgd.engine.student_file import write_student
from mmmgd.models import MGDDistill
from mmmgd.models.outer import STUDENT
from mmmgd.registry import HOOKS

from .companions import add_missing, check_hooks


@HOOKS.register_module()
class DistillHook(Hook):
    """Makes each file's ``state_dict`` the student's, with upstream names.

    So a file loads into the plain model without this package: epoch, iter,
    best, last and EMA files alike. Connectors and mask streams travel in a
    section of their own, ``'mmmgd'``, which a resumed run restores.

    It also refuses a config that would silently train something else, writes
    ``student.py`` into the work dir, and adds the hooks that keep a run from
    being lost: each of ours that the config does not name itself, to give it
    other arguments, as in
    ``default_hooks = dict(finite=dict(type='mmmgd.FiniteHook', ...))``.

    Args:
        allow_mismatch: Whether ``load_from`` takes the file of another model,
            of which only what fits is used.

    Examples:
        >>> from mmengine.registry import HOOKS
        >>> default_hooks = dict(
        ...     distill=dict(type='mmmgd.DistillHook'),
        ...     finite=dict(type='mmmgd.FiniteHook', weights=False),
        ... )
        >>> [HOOKS.build(cfg).priority for cfg in default_hooks.values()]
        ['LOW', 'HIGH']
    """

    # After EMAHook (NORMAL), which exchanges averaged and current weights in
    # the file under the names of the whole model.
    priority = 'LOW'

    def __init__(self, allow_mismatch: bool = False) -> None:
        self.allow_mismatch = allow_mismatch

    def before_run(self, runner: Runner) -> None:
        """Check the config before anything is trained."""
        check_not_sharded(runner)
        check_config(runner.cfg)
        check_inputs(runner.cfg, runner.work_dir)
        model = _model(runner)
        model.hooked = True
        if runner.rank == 0 and 'model' in runner.cfg:
            write_student(runner.cfg, runner.work_dir)
        check_optimizer(runner)
        clip_apart(runner.optim_wrapper, model.terms)
        guard_mmengine()
        add_missing(runner)
        check_hooks(runner, DistillHook)
        for hook in runner.hooks:
            if isinstance(hook, CheckpointHook) and _is_local(hook):
                hook.backend_args = dict(backend=BACKEND)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Leave the student in ``state_dict``, move the rest aside."""
        move_aside(_model(runner), checkpoint)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuse the file of another model; restore a run that is resumed.

        Raises:
            CheckpointError: If it is of another model, or no checkpoint.
        """
        model, path = _model(runner), runner._load_from
        state = checkpoint.get('state_dict', checkpoint)
        if not is_state_dict(state):
            raise CheckpointError(
                f'Expected weights in {path!r}, by name, at the top or as '
                f"'state_dict', but found the keys {sorted(checkpoint)[:8]}."
            )
        for prefix in ('module.', STUDENT):
            state = sub_state(state, prefix) or state
        misfit = load_fitting(model.student, state)
        if runner._resume:
            check_resumable(path, checkpoint, misfit, model.terms)
            restore(model, checkpoint[SECTION])
        elif misfit:
            self._begin_with(path, misfit)

    def _begin_with(self, path: str, misfit: Misfit) -> None:
        """Say what of a file is left out, or refuse it.

        Raises:
            CheckpointError: If it is of another model.
        """
        if not (misfit.is_of_classes or self.allow_mismatch):
            raise CheckpointError(
                f'load_from={path!r} is not of the student: {misfit}. Name a '
                'file of the same model; its number of classes may differ. '
                'Or use what fits of it: default_hooks.distill='
                "dict(type='mmmgd.DistillHook', allow_mismatch=True)."
            )
        print_log(
            f'load_from={path!r}: left out, so as initialised: {misfit}.',
            logger='current',
            level=logging.WARNING,
        )


def _is_local(hook: CheckpointHook) -> bool:
    """Tell whether a hook writes to a local file system."""
    return (
        hook.backend_args is None
        and hook.file_client_args is None
        and '://' not in str(hook.out_dir or '')
    )


def _model(runner: Runner) -> MGDDistill:
    model = model_of(runner)
    if not isinstance(model, MGDDistill):
        raise TypeError(
            'mmmgd.DistillHook belongs to the model mmmgd.MGDDistill, but the '
            f'model is {type(model).__name__}. Remove the hook.'
        )
    return model
