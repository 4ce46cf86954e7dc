"""Check that two features can be compared; say what to change if not."""

from collections.abc import Iterable, Sequence

from torch import nn

from mmmgd.points.dry_pass import DryPass
from mmmgd.points.pairs import Pair

from .connectors import AlignConnector, MGDConnector

# Connectors of 1x1 and 3x3 convolutions; others may take vectors.
ON_MAPS = (AlignConnector, MGDConnector)


def check_pair(
    name: str, pair: Pair, student: DryPass, teacher: DryPass, connected: bool
) -> None:
    """Refuse a pair of points that no loss could compare.

    Args:
        name: Name of the loss, for messages.
        pair: The points.
        student: What the dry pass has seen of the student.
        teacher: The same of the teacher.
        connected: Whether a connector changes the student's width.

    Raises:
        ValueError: If one is no feature, or a connector meets what is no map,
            or the widths differ without a connector.
    """
    shapes = student.shapes[pair.student], teacher.shapes[pair.teacher]
    for side, point, shape, seen in (
        ('student', pair.student, shapes[0], student),
        ('teacher', pair.teacher, shapes[1], teacher),
    ):
        if len(shape) < 2:
            raise ValueError(
                f'{name}: expected features with shape (N, C, ...), but the '
                f'{side} point {point!r} gives {shape}. Choose another one.'
            )
        kind = seen.layouts[point].kind
        if connected and kind == 'unknown':
            raise ValueError(_untold(name, side, point, shape, seen))
    if not connected and shapes[0][1] != shapes[1][1]:
        raise ValueError(
            f'{name}: the student has {shapes[0][1]} channels at '
            f'{pair.student!r}, the teacher {shapes[1][1]} at '
            f'{pair.teacher!r}, and there is no connector. Features: '
            "add connector=dict(type='mmmgd.MGDConnector', ...). "
            'Logits: both models need the same classes.'
        )


def check_maps(
    name: str, what: str, pair: Pair, student: DryPass, teacher: DryPass
) -> None:
    """Refuse vectors where a connector, or `what` it is, works on maps.

    Raises:
        ValueError: If one of the two is no map.
    """
    for side, point, seen in (
        ('student', pair.student, student),
        ('teacher', pair.teacher, teacher),
    ):
        if not seen.layouts[point].is_map:
            raise ValueError(
                f'{name}: {what} works on maps, but the {side} point '
                f'{point!r} is {seen.shapes[point]} (N, C), without positions '
                '(pooled, or a class token alone). Choose a module before it; '
                '`python -m mmmgd inspect CONFIG --all` lists them.'
            )


def check_grid(
    name: str, entry: str, pair: Pair, s: Sequence[int], t: Sequence[int]
) -> None:
    """Refuse maps of different height and width.

    Args:
        name: Name of the loss of this pair.
        entry: Name in `distill`.
        pair: The points.
        s: Shape at the student's.
        t: Shape at the teacher's.

    Raises:
        ValueError: With the line to write.
    """
    if tuple(s[2:]) == tuple(t[2:]):
        return
    sizes = ['x'.join(map(str, shape[2:])) for shape in (s, t)]
    raise ValueError(
        f'{name}: expected maps of the same height and width, but '
        f"the student's {pair.student!r} is {tuple(s)} and the "
        f"teacher's {pair.teacher!r} is {tuple(t)}. Choose points "
        f'with the same stride, or add to distill.{entry}: '
        f"resize='teacher' brings the teacher's map to {sizes[0]}, "
        f"resize='student' the student's to {sizes[1]}."
    )


def check_sample(
    name: str, connectors: Iterable[nn.Module], loss: nn.Module
) -> None:
    """Refuse to compare a sample of the channels where that changes the mean.

    Raises:
        ValueError: If the loss is no sum over channels.
    """
    for connector in connectors:
        if getattr(connector, 'sample', 1) == 1:
            continue
        over_hidden = getattr(loss, 'hidden_only', False)
        by_channel = getattr(connector, 'mask_dim', '') == 'channel'
        if not getattr(loss, 'is_sum', False) or (over_hidden and by_channel):
            raise ValueError(
                f'distill.{name} has sample={connector.sample}, which keeps '
                'the expected loss only where the loss is a sum over '
                'channels: mmmgd.MGDLoss, without hidden_only under a channel '
                f'mask. Got {type(loss).__name__}. Leave `sample` out.'
            )


def _untold(
    name: str, side: str, point: str, shape: Sequence[int], seen: DryPass
) -> str:
    height, width = seen.image
    line = "layout='NCHW' or layout='NHWC'"
    if len(shape) == 3:
        line = 'tokens=dict(prefix=1) (class and register tokens in front)'
    return (
        f'{name}: the {side} point {point!r} gives {tuple(shape)} on a '
        f'{height}x{width} image, and which axes are channels and positions '
        f'cannot be told. If it is a map, write {side}=dict(point={point!r}, '
        f'…) in `points`, with {line}. Otherwise choose another point.'
    )
