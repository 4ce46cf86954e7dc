"""What is wrong with the data is named: classes, labels and files."""

import shutil
from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import InstanceData

from mmmgd.config import read_config
from mmmgd.models.labels import check_labels, legal_classes

pytestmark = pytest.mark.usefixtures('quick_start')
CONFIGS = Path(__file__).parents[3] / 'configs' / 'demo'


@pytest.fixture
def images(image_folder, tmp_path) -> Path:
    """A copy of the images that a test may damage."""
    return Path(shutil.copytree(image_folder, tmp_path / 'images'))


@pytest.fixture
def cfg(runner_cfg, distiller_cfg, images):
    cfg = runner_cfg(distiller_cfg())
    cfg.train_dataloader.dataset.data_root = str(images)
    return cfg


def _no_step(tmp_path):
    return not list(tmp_path.glob('work/*.pth'))


def test_a_class_that_the_val_set_lacks_is_named(cfg, run, images, tmp_path):
    """The folder is missing, so that 2 means another class there."""
    shutil.copytree(images, tmp_path / 'val')
    shutil.rmtree(tmp_path / 'val' / '1')
    cfg.val_dataloader.dataset.data_root = str(tmp_path / 'val')
    with pytest.raises(
        ValueError, match=r"(?s)label 1 is '1' in the train set.*'2' in the v"
    ):
        run(cfg)
    assert _no_step(tmp_path)


def test_fewer_classes_of_the_same_order_are_fine(cfg, run, images, tmp_path):
    shutil.copytree(images, tmp_path / 'val')
    shutil.rmtree(tmp_path / 'val' / '3')
    cfg.val_dataloader.dataset.data_root = str(tmp_path / 'val')
    assert run(cfg).iter == 12


def test_the_check_can_be_switched_off(cfg, run, images, tmp_path):
    shutil.copytree(images, tmp_path / 'val')
    shutil.rmtree(tmp_path / 'val' / '1')
    cfg.val_dataloader.dataset.data_root = str(tmp_path / 'val')
    cfg.default_hooks.data = dict(type='mmmgd.DataHook', classes=False)
    assert run(cfg).iter == 12


def test_a_label_out_of_range_is_named_with_its_image(cfg, run, tmp_path):
    cfg.model.student.head.num_classes = 3
    with pytest.raises(
        ValueError, match=r'classes 0 to 2.*images/3/.*png.*\[3\].*num_classes'
    ):
        run(cfg)
    assert _no_step(tmp_path)


def test_a_label_of_a_box_out_of_range_is_named():
    from mmdet.structures import DetDataSample

    cfg = read_config(str(CONFIGS / 'detection_baseline.py'))
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model)
    classes = cfg.model.bbox_head.num_classes
    sample = DetDataSample(metainfo=dict(img_path='a/b.jpg'))
    sample.gt_instances = InstanceData(labels=torch.tensor([0, classes - 1]))
    check_labels([sample], model, legal_classes(model))
    sample.gt_instances = InstanceData(labels=torch.tensor([0, classes]))
    with pytest.raises(
        ValueError, match=rf'classes 0 to {classes - 1} in a/b.jpg.*{classes}'
    ):
        check_labels([sample], model, legal_classes(model))


@pytest.mark.parametrize('workers', [0, 1])
@pytest.mark.parametrize('content', [b'', b'\x89PNG\r\n\x1a\nrubbish'])
def test_an_image_that_cannot_be_read_is_named(
    cfg, run, images, content, workers, tmp_path
):
    (images / '2' / '0003.png').write_bytes(content)
    cfg.train_dataloader.num_workers = workers
    with pytest.raises(
        RuntimeError, match=rf'images/2/0003.png \({len(content)} bytes\)'
    ):
        run(cfg)
    assert _no_step(tmp_path)
