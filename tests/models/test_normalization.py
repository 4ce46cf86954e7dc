import pytest
from mmengine.registry import MODELS

from mmmgd.models.normalization import normalization_of

MEAN, STD = [103.53, 116.28, 123.675], [57.375, 57.12, 58.395]


@pytest.mark.parametrize(
    ('kind', 'flip'),
    [
        ('mmdet.DetDataPreprocessor', 'bgr_to_rgb'),
        ('mmseg.SegDataPreProcessor', 'bgr_to_rgb'),
        ('mmpretrain.ClsDataPreprocessor', 'to_rgb'),
    ],
)
def test_each_codebase_is_read(kind, flip):
    for value in (True, False):
        cfg = dict(type=kind, mean=MEAN, std=STD, **{flip: value})
        if 'Seg' in kind:
            cfg['size'] = (64, 64)
        assert normalization_of(MODELS.build(cfg)) == (
            value,
            tuple(MEAN),
            tuple(STD),
        )
    assert normalization_of(MODELS.build(dict(type=kind))) is None


@pytest.mark.parametrize('change', [dict(mean=[120.0] * 3), dict(to_rgb=True)])
def test_a_teacher_with_another_input_is_refused(distiller_cfg, change):
    cfg = distiller_cfg()
    cfg['teacher']['config']['data_preprocessor'].update(change)
    with pytest.raises(ValueError, match=r'normalisation.*127\.5.*teacher'):
        MODELS.build(cfg)


def test_a_teacher_that_states_none_takes_what_comes(distiller_cfg):
    cfg = distiller_cfg()
    del cfg['teacher']['config']['data_preprocessor']
    MODELS.build(cfg)
