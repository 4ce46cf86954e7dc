"""Convert a checkpoint of MMRazor or the authors to one that resumes here.

For `distilled.py`: weights of connectors, state of optimizer and schedule.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from _files import check_fits
from _schedule import schedule_at
from torch import Tensor, nn

from mmmgd.checkpoints.fit import shapes_of
from mmmgd.checkpoints.state_dicts import SECTION, sub_state

# An MMEngine file without a log history.
NO_HISTORY: dict[str, dict] = dict(
    log_scalars={}, runtime_info={}, resumed_keys={}
)


class Connector(NamedTuple):
    """A connector of ours.

    Attributes:
        prefix: Its place among the terms of the model.
        module: The connector.
        point: The student's point that it reads.
    """

    prefix: str
    module: nn.Module
    point: str


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
        content: The whole file.
        student: Weights of its student.
        connectors: Weights of its connectors, ``name.weight``.
        model: The MGDDistill that will go on.
        cfg: Its config.
        told: Their connector to ours, by the user.

    Raises:
        ValueError: If anything of it does not fit.
    """
    _check_trained(content)
    ours = connectors_of(model)
    mapping = match(connectors, ours, told)
    meta = {k: v for k, v in content['meta'].items() if k != 'config'}
    terms = _weights(connectors, ours, mapping)
    optimizer = _optimizer(
        content['optimizer'],
        [*(f'student.{k}' for k in student), *(f'terms.{k}' for k in terms)],
        dict(model.named_parameters()),
    )
    made = dict(
        state_dict=student,
        meta=meta,
        message_hub=content.get('message_hub', NO_HISTORY),
        optimizer=optimizer,
    )
    made[SECTION] = dict(state_dict=terms, mask_streams=_mask_streams(model))
    if 'param_schedulers' in content:
        made['param_schedulers'] = content['param_schedulers']
    elif cfg.get('param_scheduler'):
        states, rates = schedule_at(cfg, meta['epoch'], meta['iter'])
        made['param_schedulers'] = states
        optimizer['param_groups'][0].update(rates)
    return made, mapping


def connectors_of(model: Any) -> dict[str, Connector]:
    """Return the connectors with weights, by their name in the log."""
    return {
        log_name: Connector(
            f'{name}.connectors.{i}', term.connectors[i], pair.student
        )
        for name, term in model.terms.items()
        for i, (log_name, pair) in enumerate(
            zip(term.log_names, term.pairs, strict=True)
        )
        if term.connectors and shapes_of(term.connectors[i])
    }


def match(
    connectors: Mapping[str, Tensor],
    ours: Mapping[str, Connector],
    told: Mapping[str, str],
) -> dict[str, str]:
    """Return our connector for each of theirs.

    Where nobody tells: one for one, else by the last number in their name
    and in the point of ours ('loss_mgd_fpn_4' and 'neck.fpn_convs.4.conv').
    """
    theirs = list(dict.fromkeys(k.partition('.')[0] for k in connectors))
    mapping = dict(told)
    if not told and len(theirs) == len(ours) == 1:
        mapping = dict(zip(theirs, ours, strict=True))
    elif not told:
        by_number = {_last_number(c.point): name for name, c in ours.items()}
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


def _check_trained(content: Mapping[str, Any]) -> None:
    """Refuse a file that no training could go on from."""
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


def _weights(
    connectors: Mapping[str, Tensor],
    ours: Mapping[str, Connector],
    mapping: Mapping[str, str],
) -> dict[str, Tensor]:
    """Return the weights of the connectors under our names, in their order."""
    for theirs, name in mapping.items():
        state = sub_state(connectors, f'{theirs}.')
        shapes = shapes_of(ours[name].module)
        check_fits(state, shapes, f'{theirs} for {name}', 'See --connector.')
    split = {k: k.partition('.') for k in connectors}
    return {
        f'{ours[mapping[theirs]].prefix}.{rest}': connectors[key]
        for key, (theirs, _, rest) in split.items()
    }


def _mask_streams(model: nn.Module) -> dict[str, dict]:
    streams: dict[str, Any] = {
        name: getattr(module, 'mask_stream', None)
        for name, module in model.named_modules()
    }
    return {
        name: stream.state_dict()
        for name, stream in streams.items()
        if stream is not None
    }


def _last_number(name: str) -> int:
    return int((re.findall(r'\d+', name) or ['-1'])[-1])


def _optimizer(
    saved: Mapping[str, Any],
    names: Sequence[str],
    parameters: Mapping[str, Tensor],
) -> dict[str, Any]:
    """Return the optimizer's state, under our order of parameters.

    Both trainers list the student's parameters first, then the connectors',
    then (MMRazor) the teacher's, which have no state.

    Args:
        saved: Theirs.
        names: Our name of each tensor, in their order.
        parameters: Our parameters.
    """
    if len(saved['param_groups']) != 1:
        raise ValueError(
            'expected an optimizer with one group of parameters, but got '
            f'{len(saved["param_groups"])} (paramwise_cfg): which is which '
            'cannot be told. Begin anew from the plain student.'
        )
    places = {name: i for i, name in enumerate(parameters)}
    order = [name for name in names if name in parameters]
    state = {}
    for i, name in enumerate(order):
        if i in saved['state']:
            _check_moments(saved['state'][i], name, parameters[name])
            state[places[name]] = saved['state'][i]
    group = dict(saved['param_groups'][0], params=list(range(len(places))))
    return {**saved, 'state': state, 'param_groups': [group]}


def _check_moments(
    state: Mapping[str, Any], name: str, parameter: Tensor
) -> None:
    for key, value in state.items():
        shape = tuple(getattr(value, 'shape', ()))
        if shape and shape != tuple(parameter.shape):
            raise ValueError(
                f"expected the optimizer's {key!r} of {name} to have the "
                f'shape {tuple(parameter.shape)}, but got {shape}. Begin anew '
                'from the plain student.'
            )
