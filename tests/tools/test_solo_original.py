import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / 'tools' / 'model_converters'))

import solo_original  # noqa: E402

CONFIG = str(ROOT / 'configs/instance_segmentation/solo_r101_fpn_3x_coco.py')
# Name by name, from a listing of the original code.
NAMES = {
    'mask_head.mask_convs.0.conv.weight': 'bbox_head.ins_convs.0.conv.weight',
    'mask_head.cls_convs.6.gn.bias': 'bbox_head.cate_convs.6.gn.bias',
    'mask_head.conv_mask_list.4.weight': 'bbox_head.solo_ins_list.4.weight',
    'mask_head.conv_cls.bias': 'bbox_head.solo_cate.bias',
    'neck.fpn_convs.3.conv.weight': 'neck.fpn_convs.3.conv.weight',
    'backbone.layer3.22.conv3.weight': 'backbone.layer3.22.conv3.weight',
}


@pytest.fixture(scope='module')
def shapes():
    return solo_original.expected_shapes(CONFIG)


@pytest.fixture
def original(shapes):
    """A file as the original code writes it, on random weights."""
    back = {new: old for old, new in solo_original.RENAMED.items()}
    state = {}
    for key, shape in shapes.items():
        if key.endswith('num_batches_tracked'):
            continue
        for new, old in back.items():
            key = key.replace(new, old)
        state[key] = torch.randn(shape)
    return state


def test_known_names(original):
    assert set(NAMES.values()) <= set(original)
    converted = solo_original.convert(original)
    for new, old in NAMES.items():
        assert torch.equal(converted[new], original[old])


def test_the_file_loads_into_the_teacher(original, tmp_path, monkeypatch):
    from mmmgd.models import Teacher

    source, target = tmp_path / 'in.pth', tmp_path / 'new' / 'out.pth'
    torch.save({'state_dict': original, 'meta': {}}, source)
    solo_original.main([str(source), str(target)])
    teacher = Teacher(
        CONFIG, str(target), ['neck.fpn_convs.0.conv'], ['mask_head']
    )
    teacher.load()
    loaded = teacher.module.state_dict()
    for new, old in NAMES.items():
        if not new.startswith('neck.fpn_convs.3'):  # after the point
            assert torch.equal(loaded[new], original[old])
    assert [p.name for p in target.parent.iterdir()] == ['out.pth']


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda s: s.pop('bbox_head.solo_cate.bias'),
         '1 tensors missing: mask_head.conv_cls.bias'),
        (lambda s: s.update({'bbox_head.new': torch.zeros(1)}),
         'not in the model: mask_head.new'),
        (lambda s: s.update({'backbone.conv1.weight': torch.zeros(1)}),
         r'backbone.conv1.weight \(1,\) instead of \(64, 3, 7, 7\)'),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit_is_refused(
    original, tmp_path, change, message
):
    change(original)
    source, target = tmp_path / 'in.pth', tmp_path / 'out.pth'
    torch.save(original, source)
    with pytest.raises(SystemExit, match=message):
        solo_original.main([str(source), str(target)])
    assert not target.exists()
