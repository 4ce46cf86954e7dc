"""What `benchmark.py` runs: whole steps, and the parts of ours."""

import argparse
import copy
from collections.abc import Callable
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from torch import nn

from mmmgd.engine.memory_format import channels_last
from mmmgd.models import MGDDistill

from .meter import optimizer_of
from .models import build_mmrazor, build_ours, make_batch

Run = Callable[[], None]
SUBJECTS = ('step', 'student', 'mmrazor', 'teacher', 'connectors', 'rest')


def build(
    cfg: Config, args: argparse.Namespace, only: str | None = None
) -> tuple[dict[str, Run], dict[str, nn.Module], dict]:
    """Build what is timed, by name; ``only`` one model if named."""
    options = dict(dtype=args.teacher_dtype, compile=args.compile)
    ours = build_ours(cfg, **options).to(args.device)
    if args.channels_last:
        channels_last(ours)
    batch = make_batch(
        cfg.default_scope, args.images, tuple(args.size), args.device
    )
    models: dict[str, nn.Module] = {'step': ours, 'student': ours.student}
    if args.against and only in (None, 'mmrazor'):
        models['mmrazor'] = build_mmrazor(cfg, ours).to(args.device)
        if args.channels_last == 'all':
            channels_last(models['mmrazor'])
    if only:
        models = {only: models[only]}
    optimizers = {name: optimizer_of(model) for name, model in models.items()}
    subjects = {
        name: _step(model, optimizers[name], batch, args)
        for name, model in models.items()
    }
    if not only:
        subjects['teacher'] = lambda: _drop(ours.teacher.extract(batch[0]))
        subjects['connectors'] = _connectors(ours, batch, args)
        subjects['rest'] = _resting(ours, subjects['step'])
    return subjects, models, optimizers


def _step(
    model: BaseModel,
    optimizer: torch.optim.Optimizer,
    batch: tuple,
    args: argparse.Namespace,
) -> Run:
    """Return one step of training: losses, gradients, optimizer."""

    def run() -> None:
        samples = copy.deepcopy(batch[1])
        with _autocast(args):
            losses = model(batch[0], samples, mode='loss')
        loss, _ = model.parse_losses(losses)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return run


def _connectors(
    model: MGDDistill, batch: tuple, args: argparse.Namespace
) -> Run:
    """Return align, mask, generator and loss on recorded features."""
    with torch.no_grad(), model._tap.record() as recorded:
        model.student(batch[0], copy.deepcopy(batch[1]), mode='loss')
    student = {k: v.detach().requires_grad_() for k, v in recorded.items()}
    teacher = model.teacher.extract(batch[0])

    def run() -> None:
        with _autocast(args):
            losses = [
                loss
                for term in model.terms.values()
                for loss in term(student, teacher, {}).values()
            ]
        torch.stack(losses).sum().backward()
        model.zero_grad()
        for feature in student.values():
            feature.grad = None

    return run


def _resting(model: MGDDistill, step: Run) -> Run:
    """Return a step in which all losses rest, as with `every`."""
    terms: Any = model.terms.values()

    def run() -> None:
        for term in terms:
            term.factor = 0.0
        step()
        for term in terms:
            term.factor = 1.0

    return run


def _autocast(args: argparse.Namespace) -> torch.autocast:
    return torch.autocast(args.device, torch.bfloat16, enabled=args.amp)


def _drop(_: object) -> None:
    return None
