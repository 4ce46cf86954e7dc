"""Checkpoints that are damaged, foreign, or in the way."""

import os
import pickle
import shutil

import pytest
import torch
from cases import Case, play, table
from mmengine.registry import MODELS
from small_models import classifier

pytest.importorskip('mmpretrain')
LONGER = ('--resume', '--cfg-options', 'train_cfg.max_epochs=2')
TEACHER = "model = dict(teacher=dict(checkpoint='{}'))"


class Payload:
    """Makes a folder when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ('hacked',)


def _weights(name, edit=lambda state: state, **changes):
    """Save a model's weights."""

    def before(scene):
        model = MODELS.build(classifier(**changes))
        torch.save(edit(model.state_dict()), scene.folder / name)

    return before


def _content(name, content):
    def before(scene):
        path = scene.folder / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            torch.save(content, path)

    return before


def _after(edit=lambda scene: None, epochs=1):
    """Train, then change something in the work dir."""

    def before(scene):
        text = (scene.folder / 'c.py').read_text()
        options = ('--cfg-options', f'train_cfg.max_epochs={epochs}')
        scene.write()
        assert scene.train(*options) == 0, scene.text[-2000:]
        (scene.folder / 'c.py').write_text(text)
        edit(scene)

    return before


def _cut(name, part=0.5):
    def edit(scene):
        path = scene.work / name
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])

    return edit


def _resumed(scene):
    assert scene.state('epoch_2.pth')['meta']['iter'] == 6
    assert len(scene.steps) == 3


def _no_part(scene):
    assert not list(scene.work.glob('*.part'))


def _zeros(state):
    return {key: torch.zeros_like(value) for key, value in state.items()}


def _nan(state):
    state['backbone.layer2.0.bn1.running_var'][3] = float('nan')
    return state


@table(
    # of the teacher
    Case('no file of the teacher', told="'gone.pth'.*no such file", fast=True,
         config=TEACHER.format('gone.pth')),
    Case('an empty file', told=r't.pth.*\(0 bytes\)',
         before=_content('t.pth', b'')),
    Case('half a file', told='t.pth.*truncated or damaged',
         before=lambda s: os.truncate('t.pth', 5000)),
    Case('a web page', told='t.pth', before=_content('t.pth', b'<html>')),
    Case('a pickle with code', told='t.pth.*running code', fast=True,
         before=_content('t.pth', pickle.dumps(Payload()))),
    Case('a file of torch with code', told='t.pth.*running code',
         before=_content('t.pth', dict(a=Payload()))),
    Case('a folder', told='no such file', config=TEACHER.format('images')),
    Case('a file without weights', told='Expected weights.*t.pth',
         before=_content('t.pth', dict(epoch=3))),
    Case('a list', told='Expected weights.*t.pth.*list',
         before=_content('t.pth', [1, 2])),
    Case('weights of the student', told='t.pth.*size mismatch',
         before=_weights('t.pth')),
    Case('weights of a deeper model', told='t.pth.*layer1.2',
         before=_weights('t.pth', width=6, depth=34)),
    Case('weights that are not finite', told='layer2.0.bn1.running_var',
         before=_weights('t.pth', _nan, width=6)),
    Case('weights that are all zero', told='is constant on the first batch',
         before=_weights('t.pth', _zeros, width=6), fast=True),
    Case('half precision', good=lambda s: s.state(), before=_weights(
        't.pth', lambda s: {k: v.half() if v.is_floating_point() else v
                            for k, v in s.items()}, width=6)),
    Case('a teacher that its own run would write over', fast=True,
         told="checkpoint='work/epoch_1.pth' lies in the work dir",
         config=TEACHER.format('work/epoch_1.pth'),
         before=lambda s: [s.work.mkdir(),
                           shutil.copy('t.pth', 'work/epoch_1.pth')]),
    Case('a link to it', told="'last.pth' lies in the work dir",
         config=TEACHER.format('last.pth'),
         before=lambda s: [s.work.mkdir(),
                           shutil.copy('t.pth', 'work/epoch_1.pth'),
                           os.symlink('work/epoch_1.pth', 'last.pth')]),
    # of a start
    Case('load_from a file that is not there', told="gone.pth",
         config="load_from = 'gone.pth'"),
    Case('load_from the teacher', told="load_from='t.pth' is not of the stud",
         config="load_from = 't.pth'", fast=True),
    Case('load_from other classes', good=lambda s: s.state(),
         config="load_from = 's.pth'", before=_weights('s.pth', classes=7)),
    Case('load_from half a file', told="'s.pth'.*truncated or damaged",
         config="load_from = 's.pth'",
         before=lambda s: [_weights('s.pth')(s),
                           os.truncate('s.pth', 9999)]),
    Case('--overwrite of the file that it begins with',
         told="load_from='work/epoch_1.pth' lies in the work dir",
         before=_after(), config="load_from = 'work/epoch_1.pth'",
         argv=('--overwrite',)),
    # in the work dir
    Case('checkpoints of another training', before=_after(), fast=True,
         told='holds 1 checkpoints.*--resume.*--overwrite'),
    Case('--overwrite', before=_after(), argv=('--overwrite',),
         good=lambda s: s.state()),
    Case('--resume', before=_after(), argv=LONGER, good=_resumed),
    Case('no pointer', argv=LONGER, good=_resumed,
         before=_after(lambda s: (s.work / 'last_checkpoint').unlink())),
    Case('a pointer of noise', argv=LONGER, good=_resumed, fast=True,
         before=_after(lambda s: (s.work / 'last_checkpoint').write_bytes(
             bytes(range(256))))),
    Case('an empty pointer', argv=LONGER, good=_resumed,
         before=_after(lambda s: (s.work / 'last_checkpoint').write_bytes(
             b''))),
    Case('a pointer to another folder', argv=LONGER, good=_resumed,
         before=_after(lambda s: (s.work / 'last_checkpoint').write_text(
             '/nowhere/epoch_1.pth'))),
    Case('the newest file is damaged',
         before=_after(_cut('epoch_2.pth'), epochs=2), argv=LONGER,
         good=_resumed),
    Case('all files are damaged', before=_after(_cut('epoch_1.pth')),
         told='epoch_1.pth.*truncated or damaged.*--overwrite', argv=LONGER),
    Case('all are damaged, and --overwrite', argv=('--resume', '--overwrite'),
         before=_after(_cut('epoch_1.pth')), good=lambda s: s.state()),
    Case('a part of a write', argv=LONGER, before=_after(
        lambda s: (s.work / 'epoch_2.pth.99.part').write_bytes(b'x')),
         good=lambda s: [_resumed(s), _no_part(s)]),
    Case('a note of who holds it that is damaged', argv=LONGER, good=_resumed,
         before=_after(lambda s: (s.work / '.lock.json').write_text('{'))),
    Case('the end is reached already', argv=('--resume',), before=_after(),
         good=lambda s: s.state()),
    Case('a plain baseline is resumed',
         told='without a teacher.*load_from=', argv=('--resume', 'p.pth'),
         before=_content('p.pth', dict(
             state_dict={'x': torch.zeros(1)}, meta=dict(epoch=1, iter=3),
             message_hub={}, optimizer={}))),
    Case('a file that is only weights', argv=('--resume', 'w.pth'),
         told='w.pth', before=_weights('w.pth')),
)  # fmt: skip
def test_it(scene, case):
    play(scene, case)
    assert not (scene.folder / 'hacked').exists()
