"""The section of a checkpoint beside the student's weights."""

import logging
from typing import Any

from mmengine.logging import print_log
from mmengine.runner import weights_to_cpu
from torch import nn

from mmmgd.checkpoints.fit import Misfit, compare, shapes_of
from mmmgd.checkpoints.reading import CheckpointError
from mmmgd.checkpoints.state_dicts import SECTION, sub_state
from mmmgd.models import MGDConnector, MGDDistill
from mmmgd.models.auto_weight import AutoWeight
from mmmgd.models.outer import STUDENT


def move_aside(model: MGDDistill, checkpoint: dict) -> None:
    """Keep the student in ``state_dict``; move the rest to our section."""
    checkpoint['state_dict'] = sub_state(checkpoint['state_dict'], STUDENT)
    if 'ema_state_dict' in checkpoint:
        averaged = checkpoint['ema_state_dict']
        inner = sub_state(averaged, f'module.{STUDENT}')
        checkpoint['ema_state_dict'] = {
            **{f'module.{name}': value for name, value in inner.items()},
            'steps': averaged['steps'],
        }
    checkpoint.setdefault(SECTION, {}).update(
        # Live weights: EMAHook has averaged ones in the file by now.
        state_dict=weights_to_cpu(model.terms.state_dict()),
        mask_streams={
            name: connector.mask_stream.state_dict()
            for name, connector in _mask_streams(model)
        },
        auto_weights={
            name: auto.state_dict() for name, auto in _auto_weights(model)
        },
    )


def check_resumable(
    path: str, checkpoint: dict, misfit: Misfit, terms: nn.Module
) -> None:
    """Refuse a file that this training cannot go on from.

    Args:
        path: Where it lies, for the message.
        checkpoint: Its content.
        misfit: Between its ``state_dict`` and the student.
        terms: The connectors of the model.

    Raises:
        CheckpointError: With what differs, and how to begin with the weights.
    """
    found = checkpoint.get(SECTION, {}).get('state_dict')
    if found is None:
        reason = 'it is of a training without a teacher: no connectors'
    elif misfit:
        reason = f'the student has changed since it was written: {misfit}'
    elif changed := compare(found, shapes_of(terms)):
        reason = f'`distill` has changed since it was written: {changed}'
    else:
        return
    raise CheckpointError(
        f'{path!r} cannot be resumed: {reason}. Restore the config that wrote '
        'it. Or begin a new training with its weights: load_from='
        f'{path!r}, without --resume and in another work dir.'
    )


def check_groups(checkpoint: dict, optim_wrapper: Any) -> None:
    """Refuse the state of an optimizer with other groups of parameters.

    Raises:
        CheckpointError: With the number of parameters in each group.
    """
    saved = checkpoint.get('optimizer', {}).get('param_groups')
    # The wrapper's own list has one more, of the base learning rate.
    optimizer = getattr(optim_wrapper, 'optimizer', None)
    built = getattr(optimizer, 'param_groups', None)
    if saved is None or built is None:  # several optimizers, or none yet
        return
    sizes = [
        [len(group['params']) for group in groups] for groups in (saved, built)
    ]
    if sizes[0] != sizes[1]:
        raise CheckpointError(
            'The optimizer of the checkpoint cannot be resumed: it has groups '
            f'of {sizes[0]} parameters, that of the config of {sizes[1]}. '
            'Restore optim_wrapper and what is frozen, or begin a new '
            'training with the weights: load_from=..., without --resume.'
        )


def restore(model: MGDDistill, section: dict[str, Any]) -> None:
    """Restore connectors, mask streams and measured weights on resume."""
    model.terms.load_state_dict(section['state_dict'])
    for name, connector in _mask_streams(model):
        connector.mask_stream.load_state_dict(section['mask_streams'][name])
    weights = section.get('auto_weights', {})
    for name, auto in _auto_weights(model):
        if name in weights:
            auto.load_state_dict(weights[name])
        else:
            print_log(
                f"Resume: distill[{name!r}] had no loss_weight='auto' when "
                'the checkpoint was written, so it is measured from here on.',
                logger='current',
                level=logging.WARNING,
            )


def _mask_streams(model: MGDDistill) -> list[tuple[str, MGDConnector]]:
    return [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, MGDConnector)
    ]


def _auto_weights(model: MGDDistill) -> list[tuple[str, AutoWeight]]:
    terms: Any = model.terms.items()
    return [(n, term.auto) for n, term in terms if term.auto is not None]
