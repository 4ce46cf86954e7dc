"""MGDDistill: the model that the Runner trains."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch import Tensor, nn

from mmmgd.registry import MODELS as OURS
from mmmgd.rng import isolated_rng, mix

from .dry_pass import dry_pass
from .features import FeatureTap, Released
from .inherit import check_inherit, inherit
from .normalization import check_same_input
from .teacher import Teacher
from .term import DistillTerm, parse_pairs

STUDENT = 'student.'


@OURS.register_module()
class MGDDistill(BaseModel):
    """A student, a frozen teacher, and what is compared between them.

    Everything but training is the student's: prediction, metrics, and the
    weights in a checkpoint. A state dict with the student's own names loads
    into it as well.

    Args:
        student: Config of the student, as upstream writes it.
        teacher: Arguments of :class:`Teacher`: ``config`` and ``checkpoint``.
        distill: Maps the name of a loss, which must contain 'loss', to
            ``points``, ``loss`` and, optionally, ``connector``. See
            :func:`parse_pairs` and :class:`DistillTerm`.
        inherit: Parts of the student that start from the teacher's weights,
            such as ``['neck', 'bbox_head']``. They must agree in all tensors.
        data_preprocessor: Handed to the student. MMPretrain keeps it at the
            top of the config, and the Runner gives it to the outer model.

    Raises:
        ValueError: If the config does not fit the two models.
    """

    def __init__(
        self,
        student: dict,
        teacher: dict,
        distill: dict,
        inherit: Sequence[str] = (),
        data_preprocessor: dict | nn.Module | None = None,
    ) -> None:
        super().__init__()
        pairs = {name: _pairs_of(name, distill[name]) for name in distill}
        every = [pair for group in pairs.values() for pair in group]
        if not every:
            raise ValueError(
                'Expected `distill` to name at least one loss, but got {}. '
                'To train the plain student, use its own config.'
            )
        if isinstance(inherit, str):
            raise ValueError(
                f'Expected `inherit` to be a list of parts, but got '
                f'{inherit!r}. Write [{inherit!r}].'
            )
        student = dict(student)
        if data_preprocessor is not None:
            student.setdefault('data_preprocessor', data_preprocessor)
        self.student = MODELS.build(student)
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
        check_same_input(self.student, self.teacher.module)
        with isolated_rng(mix(torch.initial_seed())):
            terms = {
                name: DistillTerm(
                    name,
                    pairs[name],
                    cfg['loss'],
                    cfg.get('connector'),
                    shapes,
                    self.teacher.shapes,
                )
                for name, cfg in distill.items()
            }
        self.terms = nn.ModuleDict(terms)
        self._extras = set().union(*(t.extras for t in terms.values()))
        self.register_load_state_dict_pre_hook(_accept_student)

    def init_weights(self) -> None:
        """Initialise the student and load the teacher.

        The Runner calls it when training begins, and only then: for testing
        no weights of the teacher are read.
        """
        self.student.init_weights()
        self.teacher.load()
        inherit(self.student, self.teacher.module, self.inherit)

    def forward(
        self,
        inputs: Tensor,
        data_samples: list | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """Return the losses in mode 'loss', else what the student returns.

        Args:
            inputs: Normalised images with shape (N, 3, H, W).
            data_samples: Labels, as the student's package defines them.
            mode: 'loss', 'predict' or 'tensor'.
        """
        if mode != 'loss':
            return self.student(inputs, data_samples, mode=mode)
        # The teacher first, while no graph of the student takes memory.
        teacher = Released(
            self.teacher.extract(inputs), [p.teacher for p in self._pairs]
        )
        with self._tap.record() as recorded:
            losses = self.student(inputs, data_samples, mode=mode)
        student = Released(recorded, [p.student for p in self._pairs])
        recorded.clear()
        extras: dict[str, Any] = {'data_samples': data_samples}
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

    def _apply(self, fn: Callable, recurse: bool = True) -> 'MGDDistill':
        if self.teacher.loaded:
            self.teacher.follow(fn)
        return super()._apply(fn, recurse)


def gt_labels(data_samples: list | None) -> Tensor:
    """Return the class index of each image, with shape (N,).

    Raises:
        ValueError: If an image has no single class.
    """
    labels: list[Any] = [
        getattr(s, 'gt_label', None) for s in data_samples or []
    ]
    if not labels or any(x is None or x.numel() != 1 for x in labels):
        raise ValueError(
            'A distillation loss asks for `gt_labels`, one class per image, '
            'but the data samples do not have them (soft or multiple labels, '
            'or another task). Take a loss that needs none.'
        )
    return torch.cat(labels)


def _pairs_of(name: str, cfg: dict) -> list:
    if 'loss' not in name:
        raise ValueError(
            "Expected names in `distill` to contain 'loss', but got "
            f'{name!r}: MMEngine adds up only those. Write '
            f"'loss_{name}'."
        )
    unknown = set(cfg) - {'points', 'connector', 'loss'}
    if unknown or not {'points', 'loss'} <= set(cfg):
        raise ValueError(
            f'Expected the keys points, loss and, optionally, connector in '
            f'distill[{name!r}], but got {sorted(cfg)}.'
        )
    return parse_pairs(cfg['points'], name)


def _accept_student(
    module: MGDDistill, state_dict: dict, prefix: str, *args: Any
) -> None:
    """Let files with the student's own names load, as our files have them.

    What such a file cannot have keeps its value, so that a strict load works.
    """
    stem = prefix + STUDENT
    if any(k.startswith(stem) for k in state_dict):
        return
    for key in [k for k in state_dict if k.startswith(prefix)]:
        state_dict[stem + key[len(prefix) :]] = state_dict.pop(key)
    state_dict.update(module.terms.state_dict(prefix=f'{prefix}terms.'))
