"""Whether the features of a teacher can teach anything."""

from collections.abc import Mapping

from torch import Tensor

# Root mean squares beyond which squared errors are no longer a loss. Features
# of trained networks lie between about 0.01 and 1,000.
LEAST, MOST = 1e-5, 1e5


def check_features(features: Mapping[str, Tensor], name: str) -> None:
    """Refuse features that are constant, infinite or of absurd size.

    Args:
        features: By point: maps with shape (N, C, H, W), or logits.
        name: Of the teacher, for the message.

    Raises:
        ValueError: Naming the point, and what to look at.
    """
    for point, feature in features.items():
        if problem := _problem(feature.detach().float()):
            raise ValueError(
                f"The teacher's feature at {point!r} ({name}) {problem} on "
                'the first batch: nothing can be learned from it. Look at the '
                'file (teacher.checkpoint): is it of a trained model, whole, '
                'with its BN statistics? And at its input: is '
                'data_preprocessor of its config the one of its training?'
            )


def _problem(feature: Tensor) -> str:
    if not feature.isfinite().all():
        return 'is not finite'
    dims = [0, 2, 3] if feature.dim() == 4 else list(range(feature.dim()))
    count = feature.numel()
    if feature.dim() == 4:
        count //= max(feature.shape[1], 1)
    # One value of each channel says nothing.
    if count > 1 and (feature.amax(dims) == feature.amin(dims)).all():
        return 'is constant'
    size = feature.square().mean().sqrt().item()
    if feature.numel() and not LEAST <= size <= MOST:
        return f'has a root mean square of {size:.3g}'
    return ''
