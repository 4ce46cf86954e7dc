"""MGDDistill: the model that the Runner trains."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.registry import MODELS as ROOT_MODELS
from torch import Tensor, nn

from mmmgd.config import teacher_configs, with_preprocessor
from mmmgd.points.image_size import Size, image_sizes
from mmmgd.points.layout import as_maps
from mmmgd.points.tap import FeatureTap, Released
from mmmgd.registry import MODELS
from mmmgd.rng import isolated_rng, mix
from mmmgd.teacher.copies import moved
from mmmgd.teacher.teacher import Teacher

from .arguments import check_arguments, check_hooked, runner_trains
from .constructors import show_student_to_constructors
from .entry import Entry
from .inherit import copy_inherited
from .labels import gt_labels
from .measure import build_terms, measure, parts_by_teacher, teach
from .outer import STUDENT, OuterModel
from .sync_norm import plain_where_alone


@MODELS.register_module()
class MGDDistill(OuterModel):
    """A student and frozen teachers, with losses between their features.

    Everything but training is the student's: prediction, metrics, and the
    weights in a checkpoint. A state dict with the student's own names loads
    into it as well.

    Args:
        student: Config of the student, as upstream writes it.
        teacher: Arguments of :class:`Teacher`, such as ``config`` and
            ``checkpoint``; or several such dicts by name.
        distill: Maps the name of a loss, which must contain 'loss', to
            ``points`` (:func:`parse_pairs`), ``loss`` and, optionally,
            ``connector``, ``until``, ``decay_from`` and ``every``
            (:class:`Schedule`), ``resize`` (:class:`DistillTerm`), and the
            ``teacher`` of several.
        inherit: Parts of the student that start from the teacher's weights,
            such as ``['neck', 'bbox_head']``. They must agree in all tensors.
            Of several teachers: such a list by name.
        data_preprocessor: Handed to the student. MMPretrain keeps it at the
            top of the config, and the Runner gives it to the outer model.
        image_size: Height and width that both are tried on. Defaults to the
            training crop if there is one, else to the first size that works.
        unknown: Other keys, which are refused.

    Raises:
        ValueError: If the config does not fit the two models.

    Examples:
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
        image_size: Size | None = None,
        **unknown: Any,
    ) -> None:
        super().__init__()
        check_arguments(student, teacher, distill, inherit, unknown)
        cfgs = teacher_configs(teacher)
        entries = [Entry.read(n, c, list(cfgs)) for n, c in distill.items()]
        student = with_preprocessor(student, data_preprocessor)
        self.student: Any = plain_where_alone(ROOT_MODELS.build(student))
        # The student's own object: it may hold batch augmentations.
        self.data_preprocessor = self.student.data_preprocessor
        self.inherit = parts_by_teacher(inherit, list(cfgs))
        self.seen, self.teachers = measure(
            self.student,
            cfgs,
            entries,
            self.inherit,
            image_sizes(student, image_size),
        )
        self._tap = FeatureTap(self.student, list(self.seen.shapes), 'student')
        with isolated_rng(mix(torch.initial_seed())):
            self.terms = build_terms(entries, self.seen, self.teachers)
        terms: Any = self.terms.values()
        self._extras = set().union(*(term.extras for term in terms))
        show_student_to_constructors(MGDDistill)

    @property
    def teacher(self) -> Teacher:
        """The teacher, or the first of several."""
        return next(iter(self.teachers.values()))

    def init_weights(self) -> None:
        """Initialise the student and load the teacher.

        The Runner calls it when training begins, and only then: for testing
        no weights of the teacher are read.
        """
        self._earlier = runner_trains()  # one that broke, before this
        self.student.init_weights()
        one = next(self.student.parameters())
        for name, teacher in self.teachers.items():
            teacher.load()
            # The Runner moved the model before there was anything to move.
            teacher.module.to(one.device, one.dtype)
            copy_inherited(self.student, teacher.module, self.inherit[name])

    def forward(
        self,
        inputs: Tensor,
        data_samples: list | None = None,
        mode: str = 'tensor',
        image_sizes: Sequence[tuple[int, int]] | None = None,
    ) -> Any:
        """Return the losses in mode 'loss', else what the student returns.

        Args:
            inputs: Normalised images with shape (N, C, H, W).
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
        terms: Any = self.terms.values()
        active = [term for term in terms if term.factor > 0]
        # Before the student, while no graph of it takes memory.
        taught = teach(self.teachers, active, inputs, image_sizes)
        tap: Any = self._tap.record() if active else nullcontext({})
        with tap as recorded:
            losses = self.student(inputs, data_samples, mode=mode)
        size = inputs.shape[-2], inputs.shape[-1]
        student = Released(
            as_maps(recorded, self.seen.layouts, size),
            [pair.student for term in active for pair in term.pairs],
        )
        recorded.clear()
        extras: Any = dict(data_samples=data_samples, own=dict(losses))
        if 'gt_labels' in self._extras:
            extras['gt_labels'] = gt_labels(data_samples)
        for term in terms:
            teacher: Any = taught.get(term.teacher, {})
            for name, loss in term(student, teacher, extras).items():
                if name in losses:
                    raise ValueError(
                        f'The student already returns a loss named {name!r}. '
                        'Rename the entry in `distill`.'
                    )
                losses[name] = loss
        return losses

    def set_position(
        self, position: float, free: bool = True, step: int = 0
    ) -> None:
        """Set the losses' weights by their schedules; free idle teachers.

        Args:
            position: How far the training is: see :class:`Schedule`.
            free: Whether to let go of a teacher that nobody needs any more.
            step: Number of the training step, for losses that rest.
        """
        terms: Any = self.terms.values()
        for term in terms:
            term.factor = term.schedule.factor(position, step)
            term.mean_factor = term.schedule.mean(position)
        used = {term.teacher for term in terms if term.mean_factor > 0}
        for name, teacher in self.teachers.items():
            if free and teacher.loaded and name not in used:
                teacher.free()
                of = f' from {name!r}' if name else ''
                print_log(f'Distillation{of} is over: freed.', 'current')

    def _apply(self, fn: Callable, recurse: bool = True) -> 'MGDDistill':
        loaded = {k: t for k, t in self.teachers.items() if t.loaded}
        for name, teacher in loaded.items():
            self.teachers[name] = moved(teacher, fn, self.student)
        return super()._apply(fn, recurse)

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: Any
    ) -> None:
        """Accept a state dict with the student's own names, as our files have.

        What such a file cannot have keeps its value, for a strict load.
        """
        stem = prefix + STUDENT
        if not any(k.startswith(stem) for k in state_dict):
            for key in [k for k in state_dict if k.startswith(prefix)]:
                state_dict[stem + key[len(prefix) :]] = state_dict.pop(key)
            state_dict.update(self.terms.state_dict(prefix=f'{prefix}terms.'))
        super()._load_from_state_dict(state_dict, prefix, *args)
