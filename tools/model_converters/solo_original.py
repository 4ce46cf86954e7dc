"""Converts the original SOLO weights (WXinlong/SOLO) to mmdet's names.

The teacher SOLO R101 3x is in no model zoo of mmdet; this makes one of the
original file:

    python tools/model_converters/solo_original.py SOLO_R101_3x.pth \
        checkpoints/solo_r101_fpn_3x_coco.pth
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from _files import build, check_fits, write
from torch import Tensor

from mmmgd.checkpoints.fit import shapes_of
from mmmgd.checkpoints.state_dicts import read_state_dict
from mmmgd.cli.messages import FLAG, HELP, one_message
from mmmgd.config import read_config

CONFIG = (
    Path(__file__).parents[2]
    / 'configs/instance_segmentation/solo_r101_fpn_3x_coco.py'
)
RENAMED = {
    'bbox_head.': 'mask_head.',
    'ins_convs': 'mask_convs',
    'cate_convs': 'cls_convs',
    'solo_ins_list': 'conv_mask_list',
    'solo_cate': 'conv_cls',
}


def main(argv: Sequence[str] | None = None) -> None:
    """Read, rename, check against the model, write."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('source', help='the original file')
    parser.add_argument('target', type=Path, help='the file to write')
    parser.add_argument(
        '--config', default=str(CONFIG), help='config of the SOLO model'
    )
    parser.add_argument(FLAG, action='store_true', help=HELP)
    args = parser.parse_args(argv)
    with one_message(args.traceback):
        state = convert(read_state_dict(args.source))
        check_fits(
            state,
            expected_shapes(args.config),
            'the original SOLO file of the config',
            'Name the config that belongs to the file with --config.',
        )
        write({'state_dict': state, 'meta': {}}, args.target)
    print(f'{len(state)} tensors written to {args.target}')


def convert(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights under mmdet's names; the values stay as they are."""
    renamed = {}
    for key, value in state.items():
        for old, new in RENAMED.items():
            key = key.replace(old, new)
        renamed[key] = value
    return renamed


def expected_shapes(config: str) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor that the config's model has."""
    return shapes_of(build(read_config(config)))


if __name__ == '__main__':
    main()
