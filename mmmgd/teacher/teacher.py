"""The teacher: built from any config, strictly loaded, frozen."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from mmmgd.points.blank import blank_samples
from mmmgd.points.dry_pass import DryPass, dry_pass
from mmmgd.points.forward import forward
from mmmgd.points.image_size import Size
from mmmgd.points.layout import as_maps
from mmmgd.points.tap import FeatureTap

from .build import build_frozen, initialise, published_weights
from .features import check_features
from .inputs import InputAdapter, InputSize, input_adapter
from .loading import load_strictly, needed_tensors
from .precision import Compiler, Precision


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
        input_size: Height and width, or one number for both, at which it gets
            each batch.
        multiple_of: Or the number that both are brought to a multiple of,
            such as 14 for patches of 14x14 pixels.
        image: Size of the student's image in the dry pass. Defaults to the
            first of 224, 256, 384 and 512 that works.
        written: ``layout`` or ``tokens`` of points whose config says it.

    Raises:
        FileNotFoundError: If the config does not exist.
        ModuleNotFoundError: If the config's package is not installed.
        ValueError: If a point does not exist, or no checkpoint is named for a
            config that has no published one.
        RuntimeError: If a point does not run exactly once.

    Examples:
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
        input_size: int | Sequence[int] | None = None,
        multiple_of: int | None = None,
        image: Size | None = None,
        written: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.input_size = InputSize(input_size, multiple_of)
        if checkpoint is True:
            raise ValueError(
                "Expected the teacher's `checkpoint` to be a path, a URL, "
                'None (published ones) or False (random ones), but got True.'
            )
        if checkpoint is None:
            checkpoint = published_weights(config)
        self.checkpoint = checkpoint
        self.module = build_frozen(config)
        self.name = config if isinstance(config, str) else 'of a dict'
        self.loaded, self.freed, self.tensors = False, False, 0
        self._parts = tuple(f'{part}.' for part in parts)
        self.seen: DryPass = dry_pass(
            self.module,
            points,
            'teacher',
            image and self.input_size.of(image),
            written,
        )
        self.shapes = self.seen.shapes
        self._tap = FeatureTap(self.module, list(self.shapes), 'teacher')
        self._precision = Precision(dtype)
        self._compiler = Compiler(self.module, points, self.seen.entered)
        if compile:
            self._compiler.start()
        self.adapt: InputAdapter | None = None
        self.student: int | None = None  # the identity of the owner's
        self._looked_at = False

    @property
    def dtype(self) -> torch.dtype | None:
        """The type in which it multiplies; None: as the student."""
        return self._precision.dtype

    def listen(self, student: nn.Module) -> None:
        """Adapt the inputs to a student's batches from now on."""
        self.student = id(student)
        self.adapt = input_adapter(
            student, self.module, self.input_size, self.seen.way.samples
        )

    def load(self) -> None:
        """Load the weights, strictly for all that runs, and report it.

        Parts that never run may be missing or of another width, such as the
        head of a teacher with other classes.

        Raises:
            FileNotFoundError: If the file is missing.
            ValueError: If it is damaged, does not fit the part that runs, or
                holds what is not finite there.
        """
        count = len(needed_tensors(self.module, self.wants))
        source = 'random weights (checkpoint=False)'
        if self.checkpoint is False:
            initialise(self.module)
        else:
            source = str(self.checkpoint)
            load_strictly(self.module, source, self.wants, self.name)
            source = repr(source)
        self.loaded, self.tensors = True, count
        print_log(
            f'Teacher {type(self.module).__name__} ({self.name}): '
            f'{count}/{count} tensors of the part that is used, '
            f'from {source}.',
            logger='current',
        )

    def wants(self, key: str) -> bool:
        """Whether the tensor of that name is used."""
        return key.startswith(self._parts) or self.seen.runs(key)

    @torch.no_grad()
    def extract(
        self, inputs: Tensor, images: Sequence[Size] | None = None
    ) -> dict[str, Tensor]:
        """Return the feature of each point; nothing after the last one runs.

        Args:
            inputs: Images with shape (N, C, H, W), normalised for the student
                that it listens to, else for itself.
            images: Height and width of each image without its padding. None
                means that nothing is padded.

        Returns:
            Maps with shape (N, C, H, W); what is no map, as it is.
        """
        if not self.loaded:
            raise RuntimeError(
                'The teacher has no weights yet: call `init_weights()` of '
                'MGDDistill before the first step, as the Runner does.'
            )
        if self.adapt is not None:
            inputs, images = self.adapt(inputs, images)
        try:
            features = self._record(inputs, images)
        except Exception as error:
            if not self._compiler.stop(error):
                raise
            features = self._record(inputs, images)
        size = inputs.shape[-2], inputs.shape[-1]
        features = self._precision.restore(
            as_maps(features, self.seen.layouts, size)
        )
        if not self._looked_at and self.checkpoint is not False:
            # Random weights, whatever their features, are warned about.
            check_features(features, self.name)
        self._looked_at = True
        return features

    def _record(
        self, inputs: Tensor, images: Sequence[Size] | None
    ) -> dict[str, Tensor]:
        samples, size = None, (inputs.shape[-2], inputs.shape[-1])
        if self.seen.way.samples:  # for the sizes in them, not for labels
            images = images or [size] * len(inputs)
            samples = blank_samples(self.module, size, images)
        with (
            self._tap.record(stop=True) as features,
            self._precision.context(inputs.device),
        ):
            forward(self.module, inputs, self.seen.way, samples)
        return features

    def free(self) -> None:
        """Free the model, which is not going to be run again."""
        self.loaded, self.freed = False, True
        del self.module, self._tap

    def __deepcopy__(self, memo: dict) -> 'Teacher':
        """Share the frozen model between copies of the owner."""
        return self
