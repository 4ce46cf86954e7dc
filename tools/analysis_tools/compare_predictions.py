"""Paints what several checkpoints predict for the same images, side by side.

One row for each image: the image, the truth, then each model.

    python tools/analysis_tools/compare_predictions.py --out compare.png \
        --model TITLE CONFIG CHECKPOINT --model TITLE CONFIG CHECKPOINT
"""

import argparse
import inspect
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, MODELS, VISUALIZERS, DefaultScope
from PIL import Image, ImageDraw

from mmmgd.checkpoints.state_dicts import read_state_dict
from mmmgd.config import read_config, student_config

TILE = 256  # pixels, the side of one picture
TITLE = 20  # pixels, the height of the titles


def main(argv: Sequence[str] | None = None) -> None:
    """Read the arguments, paint, write."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--images', type=int, default=6, help='how many')
    parser.add_argument(
        '--model',
        nargs=3,
        action='append',
        required=True,
        metavar=('TITLE', 'CONFIG', 'CHECKPOINT'),
    )
    parser.add_argument(
        '--score', type=float, default=0.3, help='paint nothing below'
    )
    args = parser.parse_args(argv)
    titles = ['image', 'truth']
    columns: list[list[np.ndarray]] = []
    for title, config, checkpoint in args.model:
        cfg = student_config(read_config(config))
        with DefaultScope.overwrite_default_scope(cfg.default_scope):
            painted = paint(cfg, checkpoint, args.images, args.score)
        if not columns:
            columns += [[p[0] for p in painted], [p[1] for p in painted]]
        columns.append([p[2] for p in painted])
        titles.append(title)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    mosaic(titles, columns).save(args.out)
    print(f'{args.out}: {len(columns[0])} images, {", ".join(titles)}')


def paint(
    cfg: Config, checkpoint: str, count: int, score: float
) -> list[tuple[np.ndarray, ...]]:
    """Return image, truth and prediction of the first images."""
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    model = MODELS.build(cfg.model).eval()
    model.load_state_dict(read_state_dict(checkpoint), strict=True)
    visualizer = VISUALIZERS.build(
        {**cfg.visualizer, 'name': f'{id(model)}', 'vis_backends': None}
    )
    visualizer.dataset_meta = dataset.metainfo
    known = inspect.signature(visualizer.add_datasample).parameters
    options = {'pred_score_thr': score} if 'pred_score_thr' in known else {}
    if 'with_labels' in known:  # names would cover what they name
        options['with_labels'] = False
    painted = []
    for i in range(min(count, len(dataset))):
        item = dataset[i]
        pixels = item['inputs'].numpy().transpose(1, 2, 0)[..., ::-1]
        pixels = np.ascontiguousarray(pixels)
        with torch.no_grad():
            sample = model.test_step(pseudo_collate([item]))[0]
        pictures = [pixels]
        for truth in (True, False):
            visualizer.add_datasample(
                'x',
                pixels,
                sample.cpu(),
                draw_gt=truth,
                draw_pred=not truth,
                show=False,
                **options,
            )
            pictures.append(visualizer.get_image())
        painted.append(tuple(pictures))
    return painted


def mosaic(
    titles: Sequence[str], columns: Sequence[Sequence[np.ndarray]]
) -> Image.Image:
    """Put pictures into a table with titles."""
    size = (TILE * len(columns), TITLE + TILE * len(columns[0]))
    sheet = Image.new('RGB', size, 'white')
    draw = ImageDraw.Draw(sheet)
    for x, (title, column) in enumerate(zip(titles, columns, strict=True)):
        draw.text((x * TILE + 4, 4), title, fill='black')
        for y, picture in enumerate(column):
            tile = Image.fromarray(picture).resize((TILE, TILE))
            sheet.paste(tile, (x * TILE, TITLE + y * TILE))
    return sheet


if __name__ == '__main__':
    main()
