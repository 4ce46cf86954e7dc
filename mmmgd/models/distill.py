"""MGDDistill: the model that the Runner trains."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.registry import MODELS
from torch import Tensor, nn

from mmmgd.config import with_preprocessor
from mmmgd.points.dry_pass import dry_pass
from mmmgd.points.pairs import pairs_of
from mmmgd.points.tap import FeatureTap, Released
from mmmgd.registry import MODELS as OURS
from mmmgd.rng import isolated_rng, mix
from mmmgd.teacher.normalization import input_adapter
from mmmgd.teacher.teacher import Teacher

from .arguments import (
    check_arguments,
    check_hooked,
    runner_trains,
)
from .auto_weight import auto_weight
from .constructors import show_student_to_constructors
from .inherit import check_inherit, inherit
from .labels import gt_labels
from .outer import STUDENT, OuterModel
from .schedule import Schedule
from .sync_norm import plain_where_alone
from .term import DistillTerm


@OURS.register_module()
class MGDDistill(OuterModel):
    """A student, a frozen teacher, and what is compared between them.

    Everything but training is the student's: prediction, metrics, and the
    weights in a checkpoint. A state dict with the student's own names loads
    into it as well.

    Args:
        student: Config of the student, as upstream writes it.
        teacher: Arguments of :class:`Teacher`: ``config`` and ``checkpoint``.
        distill: Maps the name of a loss, which must contain 'loss', to
            ``points`` (:func:`parse_pairs`), ``loss`` and, optionally,
            ``connector``, ``until`` and ``decay_from`` (:class:`Schedule`).
        inherit: Parts of the student that start from the teacher's weights,
            such as ``['neck', 'bbox_head']``. They must agree in all tensors.
        data_preprocessor: Handed to the student. MMPretrain keeps it at the
            top of the config, and the Runner gives it to the outer model.
        unknown: Other keys, which are refused.

    Raises:
        ValueError: If the config does not fit the two models.

    Example:
        >>> from mmmgd.config import read_config
        >>> config = 'mmpretrain::resnet/resnet18_8xb32_in1k.py'
        >>> model = MGDDistill(
        ...     dict(read_config(config).model, _scope_='mmpretrain'),
        ...     teacher=dict(config=config, checkpoint=False),
        ...     distill=dict(
        ...         loss_mgd=dict(
        ...             points='backbone.layer4',
        ...             loss=dict(type='mmmgd.MGDLoss', loss_weight=7e-5),
        ...         )
        ...     ),
        ... )
        >>> model.terms['loss_mgd'].pairs
        [Pair(student='backbone.layer4', teacher='backbone.layer4')]
    """

    hooked = False  # DistillHook says that it takes part
    _earlier = False

    def __init__(
        self,
        student: dict,
        teacher: dict,
        distill: dict,
        inherit: Sequence[str] = (),
        data_preprocessor: dict | nn.Module | None = None,
        **unknown: Any,
    ) -> None:
        super().__init__()
        check_arguments(student, teacher, distill, inherit, unknown)
        pairs = {name: pairs_of(name, distill[name]) for name in distill}
        every = [pair for group in pairs.values() for pair in group]
        student = with_preprocessor(student, data_preprocessor)
        self.student: Any = plain_where_alone(MODELS.build(student))
        # The student's own object: it may hold batch augmentations.
        self.data_preprocessor = self.student.data_preprocessor
        points = [p.student for p in every]
        shapes = dry_pass(self.student, points, 'student').shapes
        self._tap = FeatureTap(self.student, points, 'student')
        self._pairs = every
        self.teacher = Teacher(
            **teacher, points=[p.teacher for p in every], parts=inherit
        )
        self.inherit = list(inherit)
        check_inherit(self.student, self.teacher.module, self.inherit)
        self._adapt = input_adapter(self.student, self.teacher.module)
        with isolated_rng(mix(torch.initial_seed())):
            terms = {
                name: DistillTerm(
                    name,
                    pairs[name],
                    cfg['loss'],
                    cfg.get('connector'),
                    shapes,
                    self.teacher.shapes,
                    Schedule(name, cfg.get('until'), cfg.get('decay_from')),
                    auto_weight(name, cfg),
                )
                for name, cfg in distill.items()
            }
        self.terms = nn.ModuleDict(terms)
        self._extras = set().union(*(t.extras for t in terms.values()))
        show_student_to_constructors(MGDDistill)

    def init_weights(self) -> None:
        """Initialise the student and load the teacher.

        The Runner calls it when training begins, and only then: for testing
        no weights of the teacher are read.
        """
        self._earlier = runner_trains()  # one that broke, before this
        self.student.init_weights()
        self.teacher.load()
        # The Runner moved the model before there was anything to move here.
        one = next(self.student.parameters())
        self.teacher.module.to(one.device, one.dtype)
        inherit(self.student, self.teacher.module, self.inherit)

    def forward(
        self,
        inputs: Tensor,
        data_samples: list | None = None,
        mode: str = 'tensor',
        image_sizes: Sequence[tuple[int, int]] | None = None,
    ) -> Any:
        """Return the losses in mode 'loss', else what the student returns.

        Args:
            inputs: Normalised images with shape (N, 3, H, W).
            data_samples: Labels, as the student's package defines them.
            mode: 'loss', 'predict' or 'tensor'.
            image_sizes: Height and width of each image without its padding,
                for a teacher with another input normalisation. The data
                preprocessor gives it then; None means no padding.
        """
        if mode != 'loss':
            return self.student(inputs, data_samples, mode=mode)
        if not (self.hooked or self._earlier):
            check_hooked()
        active = self._active()
        teacher: Any = {}
        if active:
            # Before the student, while no graph of it takes memory.
            features = self.teacher.extract(self._adapt(inputs, image_sizes))
            teacher = Released(features, [p.teacher for p in self._pairs])
            del features
        tap: Any = self._tap.record() if active else nullcontext({})
        with tap as recorded:
            losses = self.student(inputs, data_samples, mode=mode)
        student = Released(recorded, [p.student for p in self._pairs])
        recorded.clear()
        extras: Any = dict(data_samples=data_samples, own=dict(losses))
        if 'gt_labels' in self._extras:
            extras['gt_labels'] = gt_labels(data_samples)
        for term in self.terms.values():
            for name, loss in term(student, teacher, extras).items():
                if name in losses:
                    raise ValueError(
                        f'The student already returns a loss named {name!r}. '
                        'Rename the entry in `distill`.'
                    )
                losses[name] = loss
        return losses

    def set_position(self, position: float, free: bool = True) -> None:
        """Weigh the losses as their schedules say; free an idle teacher.

        Args:
            position: How far the training is: see :class:`Schedule`.
            free: Whether to let go of a teacher that nobody needs any more.
        """
        terms: Any = self.terms.values()
        for term in terms:
            term.factor = term.schedule.factor(position)
        if free and self.teacher.loaded and not self._active():
            self.teacher.free()
            print_log('Distillation is over, the teacher freed.', 'current')

    def _active(self) -> bool:
        terms: Any = self.terms.values()
        return any(term.factor > 0 for term in terms)

    def _apply(self, fn: Callable, recurse: bool = True) -> 'MGDDistill':
        if self.teacher.loaded:
            self.teacher.follow(fn)
        return super()._apply(fn, recurse)

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: Any
    ) -> None:
        """Let files with the student's own names load, as our files have them.

        What such a file cannot have keeps its value, so that a strict load
        works.
        """
        stem = prefix + STUDENT
        if not any(k.startswith(stem) for k in state_dict):
            for key in [k for k in state_dict if k.startswith(prefix)]:
                state_dict[stem + key[len(prefix) :]] = state_dict.pop(key)
            state_dict.update(self.terms.state_dict(prefix=f'{prefix}terms.'))
        super()._load_from_state_dict(state_dict, prefix, *args)
