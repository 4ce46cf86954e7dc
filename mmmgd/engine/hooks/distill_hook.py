"""Files that hold the plain student, whatever trained it."""

from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import Runner, weights_to_cpu

from mmmgd.checkpoints.atomic import BACKEND
from mmmgd.checkpoints.reading import guard_mmengine
from mmmgd.checkpoints.state_dicts import SECTION, sub_state
from mmmgd.config import check_config
from mmmgd.engine.clip import clip_apart
from mmmgd.engine.runner import model_of
from mmmgd.models import MGDConnector, MGDDistill
from mmmgd.models.distill import STUDENT
from mmmgd.registry import HOOKS

from .companions import add_missing, check_hooks


@HOOKS.register_module()
class DistillHook(Hook):
    """Makes each file's ``state_dict`` the student's, with upstream names.

    So a file loads into the plain model without this package: epoch, iter,
    best, last and EMA files alike. Connectors and mask streams travel in a
    section of their own, ``'mmmgd'``, which a resumed run restores.

    It also refuses a config that would silently train something else, and
    adds the hooks that keep a run from being lost: each of ours that the
    config does not name itself, to give it other arguments, as in
    ``default_hooks = dict(finite=dict(type='mmmgd.FiniteHook', ...))``.

    Example:
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

    def before_run(self, runner: Runner) -> None:
        """Check the config before anything is trained."""
        check_config(runner.cfg)
        model = _model(runner)
        model.hooked = True
        clip_apart(runner.optim_wrapper, model.terms)
        guard_mmengine()
        add_missing(runner)
        check_hooks(runner, DistillHook)
        for hook in runner.hooks:
            if isinstance(hook, CheckpointHook) and _is_local(hook):
                hook.backend_args = dict(backend=BACKEND)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Leave the student in ``state_dict``, move the rest aside."""
        model = _model(runner)
        checkpoint['state_dict'] = sub_state(checkpoint['state_dict'], STUDENT)
        if 'ema_state_dict' in checkpoint:
            checkpoint['ema_state_dict'] = _ema_of_student(
                checkpoint['ema_state_dict']
            )
        checkpoint.setdefault(SECTION, {}).update(
            # Live weights: EMAHook has averaged ones in the file by now.
            state_dict=weights_to_cpu(model.terms.state_dict()),
            mask_streams={
                name: connector.mask_stream.state_dict()
                for name, connector in _mask_streams(model)
            },
        )

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Restore connectors and mask streams of a run that is resumed."""
        if not runner._resume or SECTION not in checkpoint:
            return
        model, section = _model(runner), checkpoint[SECTION]
        names, saved = set(model.terms.state_dict()), section['state_dict']
        if names != set(saved):
            raise ValueError(
                'Expected to resume with the connectors of the checkpoint, '
                'but `distill` has changed since it was written: it has '
                f'{sorted(set(saved) - names)[:4]}, the config needs '
                f'{sorted(names - set(saved))[:4]}. Restore `distill`, or '
                'start anew from the student with `load_from`.'
            )
        model.terms.load_state_dict(saved)
        for name, connector in _mask_streams(model):
            connector.mask_stream.load_state_dict(
                section['mask_streams'][name]
            )


def _is_local(hook: CheckpointHook) -> bool:
    """Whether a hook writes files where a move is one step."""
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


def _mask_streams(model: MGDDistill) -> list[tuple[str, MGDConnector]]:
    return [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, MGDConnector)
    ]


def _ema_of_student(state: dict) -> dict:
    """Keep the student's part of what EMAHook writes: `module.student.*`."""
    inner = sub_state(state, f'module.{STUDENT}')
    kept = {f'module.{k}': v for k, v in inner.items()}
    kept['steps'] = state['steps']
    return kept
