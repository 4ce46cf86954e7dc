"""Check the dicts that no class owns: models and data sets pass them on.

What a detector does in `test_cfg` is read key by key, wherever it is needed,
and a key that is not asked for is ignored.
"""

import re
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from .keys import offer

# They read such dicts in their own code.
BELOW = ('mmcv', 'mmengine')
# Of which kinds a value is in each of 2000 configs of mmdet, mmseg and
# mmpretrain. A list of names for each.
KINDS = {
    'number': 'allowed_border center_ratio chunked_size conf_thr '
    'distance_threshold filter_thr ignore_ratio importance_sample_ratio '
    'iou_thr iou_threshold k local_maximum_kernel mask_size mask_thr '
    'mask_thr_binary max_per_image max_per_img min_bbox_size min_size '
    'neg_pos_ratio nms_post nms_pre num_points object_mask_thr '
    'oversample_ratio perm_range pos_radius pos_weight scale_factor score_thr '
    'sigma size_divisor smoothl1_beta subdivision_num_points '
    'subdivision_steps top_k topk',
    'bool': 'class_agnostic debug filter_empty_gt filter_low_score '
    'instance_on panoptic_on score_voting semantic_on',
    'str': 'kernel method mode',
    'dict': 'assigner nms rpn_proposal',
    'list number': 'crop_size stride',
    'dict list None': 'rcnn rpn',
    'dict None': 'sampler',
}

# Of a dict of which all values are of one kind.
OF_ALL = {'data_prefix': {'str', 'None'}, 'pad_val': {'number', 'list'}}
LAST = {('data_prefix',), ('filter_cfg',), ('pad_val',)}


def is_loose(path: tuple[str, ...]) -> bool:
    """Whether a dict without a class at this path is read by name."""
    of_model = path[:1] == ('model',) and {'train_cfg', 'test_cfg'} & {*path}
    return bool(of_model) or path[-1:] in LAST


def kinds_of(name: str, key: str) -> set[str] | None:
    """Return the kinds of value of a key in a dict of this name, None: any."""
    if name in OF_ALL:
        return OF_ALL[name]
    for kinds, names in KINDS.items():
        if key in names.split():
            return {*kinds.split()}
    return None


def check_words(path: str, part: Mapping, classes: Iterable[type]) -> None:
    """Refuse a key that is no word in the code that could read it.

    Args:
        path: Of the dict in the config.
        part: The dict.
        classes: Those of the same section: their packages are looked at.

    Raises:
        ValueError: Naming the key.
    """
    own = {str(cls.__module__).partition('.')[0] for cls in classes}
    own -= {'mmmgd', 'torch', *BELOW}
    known = _words(frozenset({*own, *BELOW}), len(sys.modules))
    for key in part:
        if own and key not in known:
            raise ValueError(
                f'The config sets {path}.{key}, but no code of '
                f'{", ".join(sorted(own))} has the word {key!r}, so nobody '
                f'reads it.{offer(key, known)}'
            )


@cache
def _words(packages: frozenset[str], loaded: int) -> frozenset[str]:
    """Return every word in the code of packages.

    Args:
        packages: Names of packages.
        loaded: How many modules there are, for the cache: more may come.
    """
    found: set[str] = set()
    for name, module in list(sys.modules.items()):
        file = getattr(module, '__file__', None) or ''
        if name.partition('.')[0] in packages and file.endswith('.py'):
            found |= _words_in(file)
    return frozenset(found)


@cache
def _words_in(file: str) -> frozenset[str]:
    text = Path(file).read_text(encoding='utf-8', errors='ignore')
    return frozenset(re.findall(r'\w+', text))
