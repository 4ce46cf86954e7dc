"""The data and the configs of a soak: a task of the demo, made small."""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple, Sequence

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / 'configs' / 'demo'
EPOCHS = 6
TEACHER = """
_base_ = '{demo}/{task}_teacher.py'
train_dataloader = dict(dataset=dict(data_root='{data}', indices={images}))
val_dataloader = dict(dataset=dict(data_root='{val}', indices=8))
train_cfg = dict(max_epochs={epochs}, val_interval=3)
default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=3))
"""
METRIC = """
val_evaluator = dict(ann_file='{data}/annotations/instances_val.json')
"""
STUDENT = (
    TEACHER.replace('_teacher.py', '_mgd.py')
    + "model = dict(teacher=dict(\n    config='{demo}/{task}_teacher.py',"
    + "\n    checkpoint='{out}/teacher/epoch_{epochs}.pth'))\n"
)


class Task(NamedTuple):
    """What differs between tasks.

    Attributes:
        model: A model of the codebase.
        options: Of the converter of the digits.
        train: Where the images lie, below its folder.
        val: Where those of the validation lie.
        metric: Lines of the config that name the annotations.
    """

    model: str
    options: Sequence[str]
    train: str = '/'
    val: str = '/'
    metric: str = ''


TASKS = {
    'classification': Task(
        'mmpretrain.ImageClassifier',
        ['--train-per-class', '10'],
        '/train',
        '/val',
    ),
    'detection': Task('mmdet.RetinaNet', ['--layout', 'coco'], metric=METRIC),
}


def write_data_and_configs(out: Path, task: str, images: int) -> None:
    """Write the digits, and the configs of teacher and student.

    Args:
        out: The folder for all of them.
        task: One of TASKS.
        images: How many are trained on.
    """
    data, facts = out / 'data', TASKS[task]
    if not data.is_dir():
        converter = ROOT / 'tools' / 'dataset_converters' / 'digits.py'
        command = [sys.executable, str(converter), '--out', str(data)]
        subprocess.run([*command, *facts.options], check=True)
    for name, text in (('teacher', TEACHER), ('whole', STUDENT)):
        text = (text + facts.metric).format(
            demo=DEMO, out=out, epochs=EPOCHS, images=images, task=task,
            data=str(data) + facts.train, val=str(data) + facts.val,
        )  # fmt: skip
        (out / (name + '.py')).write_text(text)
