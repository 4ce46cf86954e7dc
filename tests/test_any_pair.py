"""Upstream students, distilled by the README's lines at proposed points."""

import copy

import pytest
import torch
from mmengine.registry import MODELS, DefaultScope
from upstream_pairs import PAIRS, assert_takes_a_step, without_downloads

from mmmgd.config import read_config
from mmmgd.points.listing import Listed
from mmmgd.points.propose import needs_resize, propose_pairs
from mmmgd.teacher.build import build_frozen

# A tenth of them; `make test-all` runs all.
BY_DEFAULT = {
    'mmpretrain-shufflenet-v2-1x_16xb64_in1k',
    'mmpretrain-deit-tiny_4xb256_in1k',
    'mmdet-yolox_tiny_8xb8-300e_coco',
    'mmdet-rtmdet_tiny_8xb32-300e_coco',
    'mmseg-segformer_mit-b0_8xb2-160k_ade20k-512x512',
    'mmseg-fast_scnn_8xb4-160k_cityscapes-512x1024',
    'mmseg-bisenetv2_fcn_4xb4-160k_cityscapes-1024x1024',
}


def _entry(student, teacher: str, size: int) -> dict:
    """Return what `inspect` proposes for the two, as an entry."""
    image = (size, size)
    listed = [
        Listed.of('student', student, image),
        Listed.of('teacher', build_frozen(teacher), image),
    ]
    pairs = propose_pairs(*(side.points for side in listed))
    assert pairs, [side.reason for side in listed]
    points = [dict(student=s.point, teacher=t.point) for s, t in pairs]
    entry = dict(
        points=points,
        connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.5),
        loss=dict(type='mmmgd.MGDLoss', loss_weight=1e-4),
    )
    if needs_resize(pairs):
        entry['resize'] = 'teacher'
    return entry


def test_there_are_enough_and_a_tenth_runs_by_default():
    counts = {p: sum(n.startswith(p) for n in PAIRS) for p in (
        'mmpretrain', 'mmdet', 'mmseg')}  # fmt: skip
    assert min(counts.values()) >= 15 and sum(counts.values()) >= 45
    assert PAIRS.keys() >= BY_DEFAULT
    assert len(BY_DEFAULT) >= len(PAIRS) // 10


@pytest.mark.parametrize(
    'name',
    [
        pytest.param(n, marks=[] if n in BY_DEFAULT else pytest.mark.slow)
        for n in PAIRS
    ],
)
def test_one_step(name):
    config, teacher, size = PAIRS[name]
    torch.manual_seed(0)
    cfg = read_config(config)
    student = without_downloads(cfg, size)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        # DETRs write into their config when they are built.
        built = MODELS.build(copy.deepcopy(student))
        entry = _entry(built, teacher, size)
        model = MODELS.build(
            dict(
                type='mmmgd.MGDDistill',
                student=student,
                teacher=dict(config=teacher, checkpoint=False),
                distill=dict(loss_mgd=entry),
                image_size=size,
            )
        )
    assert_takes_a_step(model, size)
