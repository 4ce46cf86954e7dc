"""Draw activation maps of compared features, plain, masked and generated.

Numbers first (:func:`look`), then pixels (:func:`heat`, :func:`sheet`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from mmmgd.models import MGDDistill
from mmmgd.models.compared import compared_features
from mmmgd.points.forward import quiet
from mmmgd.points.pairs import Pair

TITLE = 18  # pixels, the height of the titles
GAP = 6  # pixels between two pictures


@dataclass
class Look:
    """Activation maps at one pair of points, each with shape (N, H, W).

    The activation at a position is the mean over channels of the absolute
    value. The four after ``teacher`` come from one mask.

    Attributes:
        pair: Where.
        student: The student's feature.
        teacher: The teacher's.
        masked: What the generator is given; None without a mask.
        generated: What the connector makes of it.
        error: Generated minus the teacher's.
    """

    pair: Pair
    student: np.ndarray
    teacher: np.ndarray
    masked: np.ndarray | None
    generated: np.ndarray
    error: np.ndarray


@torch.no_grad()
def look(model: MGDDistill, inputs: Tensor) -> dict[str, Look]:
    """Run student and teacher once; return the compared activation maps.

    Nothing of the model changes: no statistics, no mode, no random stream.

    Args:
        model: Its teacher has weights.
        inputs: Images as the data preprocessor returns them, (N, C, H, W).

    Returns:
        By the name of the loss as it is logged. Pairs that are no maps, such
        as logits, are left out.
    """
    student, teachers = compared_features(model, inputs)
    found = {}
    with quiet(model):
        terms: Any = model.terms.values()
        for term in terms:
            for i, (name, pair) in enumerate(
                zip(term.log_names, term.pairs, strict=True)
            ):
                teacher = teachers[term.teacher][pair.teacher]
                s, t = term.resized(student[pair.student], teacher)
                if s.dim() == 4:
                    connector = term.connectors[i] if term.connectors else None
                    found[name] = _look(pair, s, t, connector)
    return found


def _look(
    pair: Pair, student: Tensor, teacher: Tensor, connector: Any
) -> Look:
    """Return the activation maps of one pair under one mask."""
    generated, masked = student, None
    if hasattr(connector, 'draw_mask'):
        stream = connector.mask_stream.state_dict()
        mask = connector.draw_mask(student, teacher)
        connector.mask_stream.load_state_dict(stream)
        masked = activation(connector.visible(student, mask))
        generated = connector(student, mask=mask)
    elif connector is not None:
        generated = connector(student)
    return Look(
        pair,
        activation(student),
        activation(teacher),
        masked,
        activation(generated),
        activation(generated - teacher),
    )


def activation(feature: Tensor) -> np.ndarray:
    """Return the mean absolute value over channels, (N, H, W)."""
    return feature.detach().float().abs().mean(1).cpu().numpy()


def heat(
    values: np.ndarray, tile: int, high: float | None = None, low: float = 0
) -> np.ndarray:
    """Return a map as colours, from dark blue over green to yellow.

    Args:
        values: With shape (H, W).
        tile: Side of the picture in pixels; positions stay squares.
        high: The value that is yellow. None: the largest, with the smallest
            dark blue.
        low: The value that is dark blue, where ``high`` is given.

    Returns:
        RGB, uint8, with shape (tile, tile, 3).
    """
    from matplotlib import colormaps

    if high is None:
        low, high = float(values.min()), float(values.max())
    share = ((values - low) / max(high - low, 1e-12)).clip(0, 1)
    colors = (colormaps['viridis'](share)[..., :3] * 255).round()
    picture = Image.fromarray(colors.astype(np.uint8))
    return np.asarray(picture.resize((tile, tile), Image.Resampling.NEAREST))


def pixels_of(item: Mapping[str, Any], tile: int) -> np.ndarray:
    """Return the image of a dataset's item, (tile, tile, 3), RGB."""
    image = item['inputs'].numpy().transpose(1, 2, 0)[..., ::-1]
    if image.shape[-1] == 1:
        image = image.repeat(3, -1)
    picture = Image.fromarray(np.ascontiguousarray(image[..., :3], np.uint8))
    return np.asarray(picture.resize((tile, tile)))


def panels(one: Look, index: int, tile: int) -> dict[str, np.ndarray]:
    """Return the pictures of one image, by title.

    Those of one mask share the teacher's scale, so that an error is as bright
    as a feature of its size.
    """
    high = float(one.teacher[index].max())
    pictures = {
        'teacher': heat(one.teacher[index], tile),
        'student': heat(one.student[index], tile),
    }
    if one.masked is not None:
        pictures['masked'] = heat(one.masked[index], tile, high)
    pictures['generated'] = heat(one.generated[index], tile, high)
    pictures['its target'] = heat(one.teacher[index], tile, high)
    pictures['error'] = heat(one.error[index], tile, high)
    return pictures


def sheet(rows: Sequence[Mapping[str, np.ndarray]]) -> np.ndarray:
    """Arrange pictures in a table: one row an image, titles on top.

    Args:
        rows: RGB pictures of one size, by title.

    Returns:
        RGB, uint8, (H, W, 3).
    """
    tile = next(iter(rows[0].values())).shape[0]
    step = tile + GAP
    size = (step * len(rows[0]) - GAP, TITLE + step * len(rows) - GAP)
    table = Image.new('RGB', size, 'white')
    draw = ImageDraw.Draw(table)
    for x, title in enumerate(rows[0]):
        draw.text((x * step + 3, 3), title, fill='black')
        for y, row in enumerate(rows):
            picture = Image.fromarray(row[title])
            table.paste(picture, (x * step, TITLE + y * step))
    return np.asarray(table)
