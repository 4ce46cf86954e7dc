import pytest
import torch
from mmengine.logging import MMLogger

from mmmgd.models import Teacher

POINT = 'backbone.layer4'


def _features(cfg, images, **options):
    teacher = Teacher(cfg, False, [POINT], **options)
    teacher.load()
    return teacher.extract(images)[POINT]


def _difference(a, b):
    return ((a - b).norm() / b.norm()).item()


def test_a_short_type_changes_features_by_less_than_two_percent(
    classifier_cfg, batch
):
    full = _features(classifier_cfg(), batch[0])
    short = _features(classifier_cfg(), batch[0], dtype='bfloat16')
    assert short.dtype == torch.float32
    assert 1e-4 < _difference(short, full) < 2e-2


def test_the_weights_stay_in_float32(classifier_cfg, batch):
    """The student may inherit them."""
    teacher = Teacher(classifier_cfg(), False, [POINT], dtype='bfloat16')
    teacher.load()
    before = {k: v.clone() for k, v in teacher.module.state_dict().items()}
    teacher.extract(batch[0])
    for key, value in teacher.module.state_dict().items():
        assert value.dtype == before[key].dtype
        assert torch.equal(value, before[key])


def test_float32_is_exact_where_the_student_runs_under_autocast(
    classifier_cfg, batch
):
    full = _features(classifier_cfg(), batch[0])
    with torch.autocast('cpu', torch.bfloat16):
        kept = _features(classifier_cfg(), batch[0], dtype='float32')
        left = _features(classifier_cfg(), batch[0])
    assert torch.equal(kept, full)
    assert left.dtype == torch.bfloat16


def test_another_type_is_refused(classifier_cfg):
    with pytest.raises(ValueError, match="one of .*'bfloat16'.*'int8'"):
        Teacher(classifier_cfg(), False, [POINT], dtype='int8')


@pytest.mark.slow
def test_compiled_features_are_the_same(classifier_cfg, batch):
    full = _features(classifier_cfg(), batch[0])
    teacher = Teacher(classifier_cfg(), False, [POINT], compile=True)
    teacher.load()
    compiled = teacher.extract(batch[0])[POINT]
    assert 0 < _difference(compiled, full) < 1e-5  # BN is folded
    assert teacher._compiler._active


@pytest.mark.slow
def test_without_a_compiler_it_goes_on_and_says_so(
    classifier_cfg, batch, monkeypatch, caplog, tmp_path
):
    from torch._inductor import config

    torch._dynamo.reset()
    monkeypatch.setattr(config.cpp, 'cxx', ('/no/such/compiler',))
    # an empty cache: what was compiled before would need no compiler
    monkeypatch.setenv('TORCHINDUCTOR_CACHE_DIR', str(tmp_path))
    full = _features(classifier_cfg(), batch[0])
    teacher = Teacher(classifier_cfg(), False, [POINT], compile=True)
    teacher.load()
    # MMEngine's logger hands nothing on to others
    MMLogger.get_current_instance().addHandler(caplog.handler)
    try:
        features = teacher.extract(batch[0])[POINT]
    finally:
        MMLogger.get_current_instance().removeHandler(caplog.handler)
    assert torch.equal(features, full)
    said = [r.message for r in caplog.records if 'compile=True' in r.message]
    assert len(said) == 1 and '\n' not in said[0]
