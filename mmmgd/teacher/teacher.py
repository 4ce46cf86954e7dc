"""The teacher: built from any config, strictly loaded, frozen."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor

from mmmgd.checkpoints.state_dicts import read_state_dict
from mmmgd.points.dry_pass import DryPass, dry_pass, forward_tensor
from mmmgd.points.tap import FeatureTap

from .build import build_frozen, initialise, published_weights
from .precision import Compiler, Precision

# Counts batches and is read in training only; old files do not have it.
IGNORED = 'num_batches_tracked'


class Teacher:
    """A frozen model that is run up to its deepest point.

    Not an ``nn.Module``: held by one, it is no part of its parameters,
    optimizer, DDP buckets, state dict or training mode, by construction. A
    deep copy of its owner (as EMA makes) shares it.

    Building it measures the features, without weights; :meth:`load` reads
    those when training begins.

    Args:
        config: ``'pkg::path'``, a path, a whole config, or the dict of a
            model.
        checkpoint: Path or URL. None means the weights that the package
            publishes for a ``pkg::`` config, False means random weights.
        points: The points that will be read.
        parts: Modules whose weights are wanted although they may never run,
            because the student inherits them.
        dtype: 'bfloat16' or 'float16' multiplies in that type, 'float32' in
            full precision even where the student runs under autocast. Then
            features come in float32. None: as the student.
        compile: Whether to run it through ``torch.compile``: for inputs of
            one shape. Goes on without, with one line in the log, if it fails.

    Raises:
        FileNotFoundError: If the config does not exist.
        ModuleNotFoundError: If the config's package is not installed.
        ValueError: If a point does not exist, or no checkpoint is named for a
            config that has no published one.
        RuntimeError: If a point does not run exactly once.

    Example:
        >>> import torch
        >>> teacher = Teacher(
        ...     dict(type='mmmgd.MobileNetV1'),
        ...     checkpoint=False,  # random weights
        ...     points=['stage4'],
        ... )
        >>> teacher.load()
        >>> features = teacher.extract(torch.zeros(2, 3, 64, 64))
        >>> features['stage4'].shape
        torch.Size([2, 512, 4, 4])
    """

    def __init__(
        self,
        config: str | dict,
        checkpoint: str | bool | None = None,
        points: Sequence[str] = (),
        parts: Sequence[str] = (),
        dtype: str | torch.dtype | None = None,
        compile: bool = False,
    ) -> None:
        if checkpoint is True:
            raise ValueError(
                "Expected the teacher's `checkpoint` to be a path, a URL, "
                'None (published weights) or False (random weights), but got '
                'True.'
            )
        if checkpoint is None:
            checkpoint = published_weights(config)
        self.checkpoint = checkpoint
        self.module = build_frozen(config)
        self.name = config if isinstance(config, str) else 'of a dict'
        self.loaded, self.tensors = False, 0
        self._parts = tuple(f'{part}.' for part in parts)
        self._pass: DryPass = dry_pass(self.module, points, 'teacher')
        self.shapes = self._pass.shapes
        self._tap = FeatureTap(self.module, points, 'teacher')
        self._precision = Precision(dtype)
        self._compiler = Compiler(self.module, points, self._pass.entered)
        if compile:
            self._compiler.start()

    def load(self) -> None:
        """Load the weights, strictly for all that runs, and report it.

        Parts that never run may be missing or of another width, such as the
        head of a teacher with other classes.

        Raises:
            FileNotFoundError: If the file is missing.
            ValueError: If it is damaged, does not fit the part that runs, or
                holds what is not finite there.
        """
        needed = [
            k
            for k in self.module.state_dict()
            if self._wants(k) and not k.endswith(IGNORED)
        ]
        source = 'random weights (checkpoint=False)'
        if self.checkpoint is False:
            initialise(self.module)
        else:
            self._load_strictly(str(self.checkpoint), set(needed))
            source = repr(self.checkpoint)
        self.loaded, self.tensors = True, len(needed)
        print_log(
            f'Teacher {type(self.module).__name__} ({self.name}): '
            f'{len(needed)}/{len(needed)} tensors of the part that is used, '
            f'from {source}.',
            logger='current',
        )

    @torch.no_grad()
    def extract(self, inputs: Tensor) -> dict[str, Tensor]:
        """Return the feature of each point; nothing after the last one runs.

        Args:
            inputs: Images with shape (N, 3, H, W), normalised for it.
        """
        if not self.loaded:
            raise RuntimeError(
                'The teacher has no weights yet: call `init_weights()` of '
                'MGDDistill before the first step, as the Runner does.'
            )
        try:
            features = self._record(inputs)
        except Exception as error:
            if not self._compiler.stop(error):
                raise
            features = self._record(inputs)
        return self._precision.restore(features)

    def _record(self, inputs: Tensor) -> dict[str, Tensor]:
        with (
            self._tap.record(stop=True) as features,
            self._precision.context(inputs.device),
        ):
            forward_tensor(self.module, inputs)
        return features

    def free(self) -> None:
        """Let go of the model, which is not going to be run again."""
        self.loaded = False
        del self.module, self._tap

    def follow(self, fn: Callable[[Tensor], Tensor]) -> None:
        """Apply what ``.to()`` applies to the owner."""
        self.module._apply(fn)

    def __deepcopy__(self, memo: dict) -> 'Teacher':
        """Share the frozen model between copies of the owner."""
        return self

    def _load_strictly(self, path: str, needed: set[str]) -> None:
        state: Any = read_state_dict(path)
        known = self.module.state_dict()
        for key in list(state):
            # A name without a dot may be a tensor that a trainer left there.
            left = '.' not in key and key not in known
            if left or not self._wants(key):
                del state[key]
        try:
            report = self.module.load_state_dict(state, strict=False)
        except RuntimeError as error:  # widths differ
            raise ValueError(self._misfit(path, [str(error)])) from error
        problems = [
            f'{word}: {", ".join(keys[:5])}'
            + (f' and {len(keys) - 5} more' if len(keys) > 5 else '')
            for word, keys in (
                ('missing', [k for k in report.missing_keys if k in needed]),
                ('not in the model', report.unexpected_keys),
            )
            if keys
        ]
        if problems:
            raise ValueError(self._misfit(path, problems))
        for key, tensor in state.items():
            if not tensor.isfinite().all():
                raise ValueError(
                    f'Expected finite weights of the teacher, but {key!r} in '
                    f'{path!r} is not: its training had diverged. Take an '
                    'earlier file of it (teacher.checkpoint).'
                )

    def _wants(self, key: str) -> bool:
        return key.startswith(self._parts) or self._pass.runs(key)

    def _misfit(self, path: str, problems: Sequence[str]) -> str:
        return (
            f'Expected weights of {type(self.module).__name__} ({self.name}) '
            f'in {path!r}, but the file does not fit the part of the teacher '
            f'that is used. {"; ".join(problems)}. Name the file that belongs '
            "to the teacher's config."
        )
