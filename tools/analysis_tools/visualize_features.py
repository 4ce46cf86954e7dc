"""Paints the features that a distillation compares, as the paper does.

A row for each image and point: the image, the teacher's activation, that of
the student which the config distils and of other students; then, for one
mask, what the generator is given, what it makes of it, its target and the
error, on the teacher's scale. CHECKPOINT is a file of the training, which
holds the connectors as well.

    python tools/analysis_tools/visualize_features.py CONFIG CHECKPOINT \
        --model 'student alone' CONFIG CHECKPOINT --out features.png
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, MODELS, DefaultScope
from PIL import Image
from torch import Tensor

from mmmgd.checkpoints.reading import read_file
from mmmgd.checkpoints.state_dicts import SECTION, read_state_dict
from mmmgd.config import is_distilled, read_config, student_config, whole_model
from mmmgd.points.forward import forward, quiet
from mmmgd.points.tap import FeatureTap
from mmmgd.report.features import (
    activation,
    heat,
    look,
    panels,
    pixels_of,
    sheet,
)

Row = dict[str, np.ndarray]


def main(argv: Sequence[str] | None = None) -> None:
    """Read the arguments, paint, write."""
    args = parse(argv)
    cfg = read_config(args.config)
    if not is_distilled(cfg):
        raise SystemExit(
            f'error: expected the config of a distillation (mmmgd.MGDDistill)'
            f', but {args.config} is of {cfg.model.get("type")}.'
        )
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        rows = paint(cfg, args)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet(rows)).save(args.out, optimize=True)
    print(f'{args.out}: {len(rows)} rows, {", ".join(rows[0])}')


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('config', help='of the distillation')
    parser.add_argument('checkpoint', help='of its training')
    parser.add_argument('--out', type=Path, required=True, help='.png')
    parser.add_argument('--images', type=int, default=4, help='how many')
    parser.add_argument('--tile', type=int, default=96, help='pixels')
    parser.add_argument(
        '--model',
        nargs=3,
        action='append',
        default=[],
        metavar=('TITLE', 'CONFIG', 'CHECKPOINT'),
        help='another student with the same points',
    )
    return parser.parse_args(argv)


def paint(cfg: Config, args: argparse.Namespace) -> list[Row]:
    """Return a row of pictures for each point and image."""
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    items = [dataset[i] for i in range(min(args.images, len(dataset)))]
    model = load_distilled(cfg, args.checkpoint)
    inputs = images_of(model, items)
    found = look(model, inputs)
    if not found:
        raise SystemExit('error: the config compares no feature maps.')
    others = {
        title: student_maps(
            config, file, items, [one.pair.student for one in found.values()]
        )
        for title, config, file in args.model
    }
    rows = []
    for one in found.values():
        for i, item in enumerate(items):
            row = {'image': pixels_of(item, args.tile)}
            painted = panels(one, i, args.tile)
            row['teacher'] = painted.pop('teacher')
            for title, maps in others.items():
                row[title] = heat(maps[one.pair.student][i], args.tile)
            rows.append({**row, **painted})
    return rows


def load_distilled(cfg: Config, checkpoint: str) -> Any:
    """Build the distillation with the weights of its training."""
    model: Any = MODELS.build(whole_model(cfg))
    model.teacher.load()
    model.student.load_state_dict(read_state_dict(checkpoint), strict=True)
    section = read_file(checkpoint).get(SECTION)
    if section is None:
        raise SystemExit(
            f'error: {checkpoint} holds the student alone; what the generator '
            'makes needs the connectors, which files of the training hold.'
        )
    model.terms.load_state_dict(section['state_dict'])
    return model.eval()


def images_of(model: Any, items: Sequence[dict]) -> Tensor:
    """Return the images as the model sees them, (N, C, H, W)."""
    batch = model.data_preprocessor(pseudo_collate(list(items)), False)
    return batch['inputs']


def student_maps(
    config: str, checkpoint: str, items: Sequence[dict], points: list[str]
) -> dict[str, np.ndarray]:
    """Return another student's activation at each point, (N, H, W)."""
    cfg = student_config(read_config(config))
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model: Any = MODELS.build(cfg.model)
        model.load_state_dict(read_state_dict(checkpoint), strict=True)
        tap = FeatureTap(model, points, 'student')
        with quiet(model), tap.record(stop=True) as features:
            forward(model, images_of(model, items))
    return {point: activation(features[point]) for point in points}


if __name__ == '__main__':
    main()
