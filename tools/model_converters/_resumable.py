"""A checkpoint that goes on training as an MGDDistill.

Of connectors, optimizer and schedule of another trainer, for `distilled.py`.
"""

import re
from collections.abc import Mapping
from typing import Any

from _files import check_fits, shapes_of
from _schedule import schedule_at
from torch import Tensor, nn

from mmmgd.checkpoints.state_dicts import SECTION, sub_state

# An MMEngine file without a log history.
NO_HISTORY: dict[str, dict] = dict(
    log_scalars={}, runtime_info={}, resumed_keys={}
)


def resumable(
    content: Mapping[str, Any],
    student: Mapping[str, Tensor],
    connectors: Mapping[str, Tensor],
    model: Any,
    cfg: Any,
    told: Mapping[str, str],
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the checkpoint, and which connector became which.

    Args:
        content (Mapping): The whole file.
        student (Mapping): Weights of its student.
        connectors (Mapping): Weights of its connectors, ``name.weight``.
        model (MGDDistill): The model that will go on.
        cfg (Config): Its config.
        told (Mapping): Their connector to ours, by the user.

    Raises:
        ValueError: If anything of it does not fit.
    """
    meta = content.get('meta') or {}
    missing = [k for k in ('epoch', 'iter') if k not in meta]
    missing += [k for k in ('optimizer',) if k not in content]
    if missing or 'ema_state_dict' in content:
        raise ValueError(
            '--resumable expected the checkpoint of a training run without '
            'EMA, but '
            + (f'it lacks {missing}' if missing else 'it is of EMAHook')
            + '. Begin anew from the plain student with `load_from`.'
        )
    mapping = match(connectors, model, told)
    terms: dict[str, Tensor] = {}
    for theirs, ours in mapping.items():
        state = sub_state(connectors, f'{theirs}.')
        shapes = shapes_of(_connectors(model)[ours][1])
        check_fits(state, shapes, f'{theirs} for {ours}', 'See --connector.')
        prefix = _connectors(model)[ours][0]
        terms.update({f'{prefix}.{k}': v for k, v in state.items()})
    made = dict(
        state_dict=student,
        meta={k: v for k, v in meta.items() if k != 'config'},
        message_hub=content.get('message_hub', NO_HISTORY),
        optimizer=_optimizer(
            content['optimizer'], student, connectors, mapping, model
        ),
    )
    made[SECTION] = dict(
        state_dict=terms,
        mask_streams={
            name: module.mask_stream.state_dict()
            for name, module in model.named_modules()
            if hasattr(module, 'mask_stream')
        },
    )
    if 'param_schedulers' in content:
        made['param_schedulers'] = content['param_schedulers']
    elif cfg.get('param_scheduler'):
        states, rates = schedule_at(cfg, meta['epoch'], meta['iter'])
        made['param_schedulers'] = states
        made['optimizer']['param_groups'][0].update(rates)
    return made, mapping


def match(
    connectors: Mapping[str, Tensor], model: Any, told: Mapping[str, str]
) -> dict[str, str]:
    """Return our connector for each of theirs.

    Where nobody tells: one for one, else by the last number in their name
    and in the point of ours ('loss_mgd_fpn_4' and 'neck.fpn_convs.4.conv').
    """
    theirs = list(dict.fromkeys(k.partition('.')[0] for k in connectors))
    ours = {
        name: _last_number(point)
        for name, (_, _, point) in _connectors(model).items()
    }
    mapping = dict(told)
    if not told and len(theirs) == len(ours) == 1:
        mapping = dict(zip(theirs, ours, strict=True))
    elif not told:
        by_number = {n: name for name, n in ours.items()}
        mapping = {
            name: by_number[_last_number(name)]
            for name in theirs
            if _last_number(name) in by_number
        }
    if set(mapping) != set(theirs) or sorted(mapping.values()) != sorted(ours):
        raise ValueError(
            f'expected each connector of the file, {theirs}, to become one of '
            f'the config, {list(ours)}, but got {mapping}. Say which becomes '
            'which: --connector THEIRS=OURS, once for each.'
        )
    return mapping


def _connectors(model: Any) -> dict[str, tuple[str, nn.Module, str]]:
    """Map 'loss_mgd.0' to the prefix, the module and the point."""
    return {
        log_name: (f'{name}.connectors.{i}', term.connectors[i], pair.student)
        for name, term in model.terms.items()
        for i, (log_name, pair) in enumerate(
            zip(term.log_names, term.pairs, strict=True)
        )
        if term.connectors and shapes_of(term.connectors[i])
    }


def _last_number(name: str) -> int:
    return int((re.findall(r'\d+', name) or ['-1'])[-1])


def _optimizer(
    saved: Mapping[str, Any],
    student: Mapping[str, Tensor],
    connectors: Mapping[str, Tensor],
    mapping: Mapping[str, str],
    model: Any,
) -> dict[str, Any]:
    """Return the optimizer's state, under our order of parameters.

    Both trainers list the student's parameters first, then the connectors',
    then (MMRazor) the teacher's, which have no state.
    """
    if len(saved['param_groups']) != 1:
        raise ValueError(
            'expected an optimizer with one group of parameters, but got '
            f'{len(saved["param_groups"])} (paramwise_cfg): which is which '
            'cannot be told. Begin anew from the plain student.'
        )
    parameters = dict(model.named_parameters())
    renamed = {f'student.{k}': f'student.{k}' for k in student}
    for theirs, ours in mapping.items():
        prefix = _connectors(model)[ours][0]
        for key in sub_state(connectors, f'{theirs}.'):
            renamed[f'{theirs}.{key}'] = f'terms.{prefix}.{key}'
    names = [*(f'student.{k}' for k in student), *connectors]
    order = [renamed[k] for k in names if renamed[k] in parameters]
    places = {name: i for i, name in enumerate(parameters)}
    state = {}
    for i, name in enumerate(order):
        if i not in saved['state']:
            continue
        state[places[name]] = saved['state'][i]
        for key, value in saved['state'][i].items():
            shape = tuple(getattr(value, 'shape', ()))
            if shape and shape != tuple(parameters[name].shape):
                raise ValueError(
                    f"expected the optimizer's {key!r} of {name} to have the "
                    f'shape {tuple(parameters[name].shape)}, but got {shape}.'
                    ' Begin anew from the plain student.'
                )
    group = dict(saved['param_groups'][0], params=list(range(len(places))))
    return {**saved, 'state': state, 'param_groups': [group]}
