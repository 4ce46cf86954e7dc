"""Keys that MGDDistill and its parts do not have: the right one is named."""

import copy

import pytest

from mmmgd.models import MGDDistill

CFG = dict(
    student=dict(type='mmpretrain.ImageClassifier', backbone={}, neck={}),
    teacher=dict(config='t.py', checkpoint='t.pth'),
    distill=dict(
        loss_mgd=dict(
            points='backbone.layer4',
            connector=dict(type='mmmgd.MGDConnector', mask_ratio=0.5),
            loss=dict(type='mmmgd.MGDLoss', loss_weight=1e-3),
        )
    ),
)
ENTRY = 'distill.loss_mgd'
CONNECTOR, LOSS = f'{ENTRY}.connector', f'{ENTRY}.loss'


def _with(path: str, value: object) -> dict:
    cfg = copy.deepcopy(CFG)
    *parents, last = path.split('.')
    part = cfg
    for parent in parents:
        part = part[parent]
    part[last] = value
    return cfg


# What is written where, and what the message must offer instead.
OFFERED = {
    # of the teacher
    'teacher.weights': "'checkpoint'",
    'teacher.pretrained': "'checkpoint'",
    'teacher.ckpt': "'checkpoint'",
    'teacher.init_cfg': "'checkpoint'",
    'teacher.load_from': "'checkpoint'",
    'teacher.checkpont': "'checkpoint'",
    'teacher.cfg_path': "'config'",  # MMRazor
    'teacher.confg': "'config'",
    # of an entry
    f'{ENTRY}.conector': "'connector'",
    f'{ENTRY}.point': "'points'",
    f'{ENTRY}.student_module': 'points=dict',  # yzd-v/MGD
    f'{ENTRY}.loss_weight': 'loss=dict',
    f'{ENTRY}.alpha_mgd': 'loss=dict',
    f'{ENTRY}.mask_ratio': 'connector=dict',
    f'{ENTRY}.lambda_mgd': 'connector=dict',
    # of a connector
    f'{CONNECTOR}.mask_ration': "'mask_ratio'",
    f'{CONNECTOR}.lambda_mgd': "'mask_ratio'",  # MMRazor and yzd-v/MGD
    f'{CONNECTOR}.mask_on_channel': "mask_dim='channel'",  # MMRazor
    f'{CONNECTOR}.loss_weight': 'loss=dict',
    # of a loss
    f'{LOSS}.alpha_mgd': "'loss_weight'",
    f'{LOSS}.alpha': "'loss_weight'",
    f'{LOSS}.los_weight': "'loss_weight'",
    f'{LOSS}.mask_ratio': 'connector=dict',
    # of the model
    'teacher_ckpt': 'teacher=dict',  # MMRazor
    'teacher_cfg': 'teacher=dict',  # yzd-v/MGD
    'architecture': "'student'",
    'distiller': "'distill'",
    'distil': "'distill'",
    'init_student': 'inherit=',  # yzd-v/MGD
    'inherits': "'inherit'",
}


@pytest.mark.parametrize('path', OFFERED)
def test_the_right_key_is_offered(path):
    key = path.rpartition('.')[2]
    text = f"got '{key}'.*(Did you mean|Write) {OFFERED[path]}"
    with pytest.raises(ValueError, match=text):
        MGDDistill(**_with(path, 1))


@pytest.mark.parametrize('key', ['backbone', 'neck'])
def test_a_model_merged_with_its_base_asks_for_delete(key):
    with pytest.raises(ValueError, match=f"'{key}'.*_delete_=True"):
        MGDDistill(**_with(key, {}))


def test_a_class_that_is_not_registered_is_named_with_close_ones():
    with pytest.raises(ValueError, match=r"MGDConector.*'mmmgd.MGDConnector'"):
        MGDDistill(**_with(f'{CONNECTOR}.type', 'mmmgd.MGDConector'))


@pytest.mark.parametrize('value', [None, [0.5], '0.5', True])
def test_a_mask_ratio_that_is_no_number_is_refused(value):
    from mmmgd.models import MGDConnector

    with pytest.raises(ValueError, match='`mask_ratio`.*got'):
        MGDConnector(value, student_channels=4, teacher_channels=4)


@pytest.mark.parametrize('value', [[4], '4', 4.0, 0, -4, True])
@pytest.mark.parametrize('side', ['student', 'teacher'])
def test_widths_that_are_no_widths_are_refused(side, value):
    from mmmgd.models import AlignConnector

    widths = dict(student_channels=4, teacher_channels=4)
    widths[f'{side}_channels'] = value
    with pytest.raises(ValueError, match=f'`{side}_channels`'):
        AlignConnector(**widths)


@pytest.mark.parametrize('value', ['yes', 'always', 1.5, [True]])
def test_a_cheap_that_is_no_flag_is_refused(value):
    from mmmgd.models import MGDConnector

    widths = dict(student_channels=4, teacher_channels=4)
    with pytest.raises(ValueError, match='`cheap`.*got'):
        MGDConnector(0.5, cheap=value, **widths)


def test_a_mask_dim_that_is_a_list_is_refused():
    from mmmgd.models import MGDConnector

    widths = dict(student_channels=4, teacher_channels=4)
    with pytest.raises(ValueError, match='`mask_dim`.*got'):
        MGDConnector(0.5, mask_dim=['spatial'], **widths)
