"""Images and labels that are damaged, odd or missing."""

import shutil

import numpy as np
import pytest
from cases import Case, play, table
from PIL import Image

pytest.importorskip('mmpretrain')
ONE = 'images/2/0003.png'


def _own(scene):
    """Give the scene images of its own, and return one."""
    target = (scene.folder / 'images').resolve()
    (scene.folder / 'images').unlink()
    shutil.copytree(target, scene.folder / 'images')
    return scene.folder / ONE


def _bytes(edit):
    """Edit the bytes of one image."""

    def before(scene):
        path = _own(scene)
        path.write_bytes(edit(path.read_bytes()))

    return dict(before=before)


def _saved(shape, mode=None, kind='PNG', name=ONE, dtype='uint8'):
    """Replace one image by another of this kind."""

    def before(scene):
        path = _own(scene).parent.parent.parent / name
        pixels = np.random.default_rng(0).integers(0, 200, shape)
        image = Image.fromarray(pixels.astype(dtype))
        (image.convert(mode) if mode else image).save(path, kind)

    return dict(before=before)


def _cut(kind, part):
    """Replace one image by the first part of a file of some kind."""

    def before(scene):
        _saved((32, 32, 3), kind=kind)['before'](scene)
        path = scene.folder / ONE
        content = path.read_bytes()
        path.write_bytes(content[: int(part * len(content))])

    return dict(before=before)


def _folders(edit):
    def before(scene):
        edit(_own(scene).parents[1])

    return dict(before=before)


def _fine(scene):
    assert scene.state()['meta']['iter'] == 3
    assert len(scene.steps) == 3


RESIZED = """
train_pipeline = [dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(32, 32)), dict(type='PackInputs')]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=train_pipeline))
"""
WORKERS = 'train_dataloader = dict(num_workers=1)'
NAMED = r'images/2/0003.png \((\d+) bytes\)'
VAL = "val_dataloader = dict(dataset=dict(data_root='val'))"


def _val(edit):
    def before(scene):
        source = (scene.folder / 'images').resolve()
        shutil.copytree(source, scene.folder / 'val')
        edit(scene.folder / 'val')

    return dict(before=before, config=VAL)


@table(
    Case('an empty file', told=NAMED, steps=3, fast=True,
         **_bytes(lambda content: b'')),
    Case('an empty file in a worker', told=NAMED, steps=3, config=WORKERS,
         **_bytes(lambda content: b'')),
    Case('half a PNG', told=NAMED, steps=3, fast=True, **_cut('PNG', 0.5)),
    Case('a PNG without its last bytes', told=NAMED, steps=3,
         **_bytes(lambda content: content[:-100])),
    Case('half a JPEG', told=NAMED, steps=3, **_cut('JPEG', 0.5)),
    Case('a JPEG without its last tenth', told=NAMED, steps=3,
         **_cut('JPEG', 0.9)),
    Case('half a WEBP', told=NAMED, steps=3, **_cut('WEBP', 0.5)),
    Case('half a BMP', told=NAMED, steps=3, **_cut('BMP', 0.5)),
    Case('half a TIFF', told=NAMED, steps=3, **_cut('TIFF', 0.5)),
    Case('a page of a web site', told=NAMED, steps=3,
         **_bytes(lambda content: b'<html>not found</html>')),
    Case('zeros', told=NAMED, steps=3, **_bytes(lambda c: bytes(len(c)))),
    Case('a header, then noise', told=NAMED, steps=3,
         **_bytes(lambda c: c[:60] + bytes(reversed(c[60:])))),
    Case('another size than the rest', told='', good=_fine,
         config=RESIZED, **_saved((40, 24, 3))),
    Case('one pixel', good=_fine, config=RESIZED, **_saved((1, 1, 3))),
    Case('very long', good=_fine, config=RESIZED, **_saved((2, 3000, 3))),
    Case('grey', good=_fine, **_saved((32, 32))),
    Case('with transparency', good=_fine, **_saved((32, 32, 4))),
    Case('black and white', good=_fine, **_saved((32, 32), '1')),
    Case('with a palette', good=_fine, **_saved((32, 32, 3), 'P')),
    Case('16 bits', good=_fine, **_saved((32, 32), dtype='uint16')),
    Case('CMYK', good=_fine, **_saved((32, 32, 3), 'CMYK', 'JPEG')),
    Case('a name with umlauts and spaces', good=lambda s: s.state(),
         **_saved((32, 32, 3), name='images/2/ein Bär.png')),
    Case('a JPEG named .png', good=_fine, **_saved((32, 32, 3), kind='JPEG')),
    Case('other files beside the images', good=_fine,
         **_folders(lambda f: (f / '2/notes.txt').write_text('x'))),
    Case('no folder of images', told='gone',
         config="train_dataloader = dict(dataset=dict(data_root='gone'))"),
    Case('a class that the val set lacks', fast=True,
         told="label 1 is '1' in the train set.*'2' in the val set",
         **_val(lambda f: shutil.rmtree(f / '1'))),
    Case('a class that only the val set has',
         told="label 0 is '0' in the train set.*'-1' in the val set",
         **_val(lambda f: shutil.copytree(f / '0', f / '-1'))),
    Case('more classes than the model', fast=True,
         told=r'classes 0 to 1 in .*images/[23].*num_classes',
         config='model = dict(student=dict(head=dict(num_classes=2)))'),
    Case('fewer images than a batch', good=lambda s: s.state(),
         config='train_dataloader = dict(batch_size=1000)'),
    Case('batches of one image', good=lambda s: s.state(), config="""
train_dataloader = dict(batch_size=1, dataset=dict(indices=3))"""),
    Case('an unknown transform', told='NoFlip is not in', config="""
train_dataloader = dict(dataset=dict(pipeline=[dict(type='NoFlip')]))"""),
    Case('a whole batch only, and fewer images', fast=True,
         told='has 48 samples, batch_size=100 and drop_last=True',
         config='train_dataloader = dict(batch_size=100, drop_last=True)'),
    Case('a pipeline that does not pack', fast=True,
         told="train_dataloader.dataset to end.*PackInputs.*'img'",
         config="train_dataloader = dict(dataset=dict(pipeline=["
                "dict(type='LoadImageFromFile')]))"),
    Case('a validation that does not pack', told='PackInputs',
         config="val_dataloader = dict(dataset=dict(pipeline=["
                "dict(type='LoadImageFromFile')]))"),
    Case('no image at all', told='Found 0 files.*train_dataloader', config="""
train_dataloader = dict(dataset=dict(data_root='none'))""",
         before=lambda s: (s.folder / 'none/0').mkdir(parents=True)),
    Case('an empty folder of a class in both sets', good=lambda s: (
        _fine(s), '5' in s.log()),
         **_folders(lambda f: (f / '5').mkdir())),
    Case('images of two sizes', good=_fine, **_saved((40, 24, 3))),
    Case('a link to nowhere', good=lambda s: s.state(),
         **_folders(lambda f: (f / '2/0099.png').symlink_to('/nowhere'))),
    Case('a folder among the images', good=_fine,
         **_folders(lambda f: (f / '2/0099.png').mkdir())),
    Case('a transform with a wrong argument', told="prb", config="""
train_dataloader = dict(dataset=dict(pipeline=[
    dict(type='LoadImageFromFile'), dict(type='RandomFlip', prb=1)]))"""),
)  # fmt: skip
def test_it(scene, case):
    play(scene, case)
