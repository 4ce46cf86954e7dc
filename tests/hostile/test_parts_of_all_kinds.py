"""Hooks, optimizers, schedules, numbers and resumes of rarer kinds."""

import pytest
import torch
from cases import Case, play, table
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS

pytest.importorskip('mmpretrain')
TERM = 'model.distill.loss_mgd'
HOOK = 'default_hooks = dict({})'


@OPTIM_WRAPPER_CONSTRUCTORS.register_module(force=True)
class TwoOptimizers:
    """Gives each half of the parameters an optimizer of its own."""

    def __init__(self, optim_wrapper_cfg, paramwise_cfg=None):
        pass

    def __call__(self, model):
        halves = [[*model.parameters()][i::2] for i in range(2)]
        a, b = (OptimWrapper(torch.optim.SGD(h, lr=0.1)) for h in halves)
        return OptimWrapperDict(a=a, b=b)


def _fine(scene):
    assert scene.state()['meta']['iter'] == 3


def _options(**values):
    texts = [f'{key.replace("__", ".")}={v}' for key, v in values.items()]
    return ('--cfg-options', *texts)


def _resume(first='', then='', *argv, spoil=None):
    """Train, change the config, and go on for another epoch."""

    def tool(scene):
        scene.write(first)
        assert scene.train() == 0, scene.text[-2000:]
        if spoil:
            spoil(scene)
        scene.write(then + '\ntrain_cfg = dict(max_epochs=2)')
        del scene.steps[:]
        return scene.train('--resume', *argv)

    return tool


def _listed(text):
    def good(scene):
        assert text in scene.log()
        assert scene.state('epoch_2.pth')['meta']['iter'] == 6

    return good


def _other_teacher(scene):
    state = torch.load('t.pth')
    state['backbone.conv1.weight'] += 1
    torch.save(state, 't.pth')


LR = 'optim_wrapper = dict(optimizer=dict(lr={}))'


@table(
    # hooks
    Case('DistillHook twice', told='Expected mmmgd.DistillHook once',
         config="custom_hooks = [dict(type='mmmgd.DistillHook')]", fast=True),
    Case('no DistillHook', told='no mmmgd.DistillHook|no .mmmgd.DistillHook',
         config=HOOK.format('distill=None')),
    Case('DistillHook before EMAHook', told='EMAHook to run before Distill',
         config=HOOK.format("distill=dict(priority='HIGH')")
         + "\ncustom_hooks = [dict(type='EMAHook')]"),
    Case('DistillHook last', good=_fine,
         config=HOOK.format("distill=dict(priority='LOWEST')")),
    Case('an unknown priority', told='LOWESTT',
         config=HOOK.format("distill=dict(priority='LOWESTT')")),
    Case('an unknown argument of a hook', told="wieghts.*'weights'",
         config=HOOK.format(
             "finite=dict(type='mmmgd.FiniteHook', wieghts=False)")),
    Case('an average of the weights', good=_fine,
         config="custom_hooks = [dict(type='EMAHook')]"),
    Case('a checkpoint every three steps', config=HOOK.format(
        'checkpoint=dict(interval=3, by_epoch=False)'),
         good=lambda s: s.state('iter_3.pth')),
    Case('one checkpoint is kept', config=HOOK.format(
        'checkpoint=dict(max_keep_ckpts=1)'), good=_fine),
    # optimizers and schedules
    Case('accumulated gradients', good=_fine,
         config='optim_wrapper = dict(accumulative_counts=2)'),
    Case('bfloat16', argv=('--amp',), good=_fine),
    Case('--amp of another wrapper', argv=('--amp',), told='--amp expected',
         config="optim_wrapper = dict(type='ApexOptimWrapper')"),
    Case('an argument that SGD does not have', told="'betas'.*SGD",
         config='optim_wrapper = dict(optimizer=dict(betas=(0.9, 0.99)))'),
    Case('a misspelled key of clip_grad', fast=True,
         told="optim_wrapper.clip_grad.*'max_nrom'.*'max_norm'",
         config='optim_wrapper = dict(clip_grad=dict(max_nrom=35))'),
    Case('an optimizer that does not exist', told="SDG.*'SGD'",
         config="optim_wrapper = dict(optimizer=dict(type='SDG'))"),
    Case('several optimizers', told=r"one optimizer in.*several: \['a', 'b'\]",
         config="optim_wrapper = dict(constructor='TwoOptimizers')"),
    Case('the best of an unknown metric', fast=True,
         told="save_best.*'accuracy/top9'.*accuracy/top1",
         config=HOOK.format("checkpoint=dict(save_best='accuracy/top9')")),
    Case('training by iterations', good=lambda s: s.state('iter_2.pth'),
         config=HOOK.format('checkpoint=dict(by_epoch=False, interval=2)')
         + '\ntrain_cfg = dict(_delete_=True, by_epoch=False, max_iters=2)'),
    Case('epochs of a training by iterations', told='max_epochs',
         config='train_cfg = dict(by_epoch=False)'),
    Case('workers that persist, without any', told='persistent_workers',
         config='train_dataloader = dict(persistent_workers=True)'),
    Case('models that are averaged at test time', good=_fine, config="""
tta_model = dict(type='AverageClsScoreTTA')
tta_pipeline = [dict(type='LoadImageFromFile'), dict(type='TestTimeAug',
    transforms=[[dict(type='PackInputs')]])]"""),
    Case('and tested', config="tta_model = dict(type='AverageClsScoreTTA')",
         tool=lambda s: s.train() or s.test('work/epoch_1.pth'), good=_fine),
    # numbers
    Case('a learning rate that explodes', steps=3, fast=True,
         config=LR.format('1e30'), told='Stopped at iteration|not finite'),
    Case('a loss weight that overflows', steps=1,
         argv=_options(model__distill__loss_mgd__loss__loss_weight='1e38'),
         told='Stopped at iteration 1.*loss_mgd'),
    Case('a loss weight of zero', good=_fine,
         argv=_options(model__distill__loss_mgd__loss__loss_weight='0')),
    Case('a negative loss weight', told='`loss_weight`.*-1',
         argv=_options(model__distill__loss_mgd__loss__loss_weight='-1')),
    Case('all is hidden', told='`mask_ratio`.*1.0',
         argv=_options(model__distill__loss_mgd__connector__mask_ratio='1.0')),
    Case('nearly all is hidden', good=_fine, argv=_options(
        model__distill__loss_mgd__connector__mask_ratio='0.999')),
    Case('nothing is hidden', good=_fine, argv=_options(
        model__distill__loss_mgd__connector__mask_ratio='0')),
    # resumes
    Case('resumed with another rate', fast=True,
         tool=_resume('', LR.format('0.01')),
         good=_listed('optim_wrapper.optimizer.lr: 0.05 -> 0.01')),
    Case('resumed with another mask', good=_listed('mask_ratio: 0.15 -> 0.5'),
         tool=_resume('', "model = dict(distill=dict(loss_mgd=dict("
                      "connector=dict(mask_ratio=0.5))))")),
    Case('resumed with another teacher', told='another teacher. SHA-256',
         tool=_resume(spoil=_other_teacher), fast=True),
    Case('and that is meant', good=_listed('SHA-256 of the teacher'),
         tool=_resume('', '', '--allow-changes', spoil=_other_teacher)),
    Case('resumed with another optimizer', told="'SGD' -> 'AdamW'",
         tool=_resume('', "optim_wrapper = dict(optimizer=dict("
                      "_delete_=True, type='AdamW', lr=0.05))")),
    Case('resumed with other classes', told='student has changed',
         tool=_resume('', 'model = dict(student=dict('
                      'head=dict(num_classes=7)))')),
    Case('resumed with another point', told='`distill` has changed',
         tool=_resume('', "model = dict(distill=dict(loss_mgd=dict("
                      "points='backbone.layer3')))")),
    Case('resumed with a longer schedule',
         good=_listed('goes on as in an unbroken run'),
         tool=_resume("param_scheduler = dict(type='PolyLR', end=1)",
                      "param_scheduler = dict(type='PolyLR', end=2)")),
    Case('resumed with another batch size',
         good=lambda s: 'an epoch had 3 iterations' in s.log(),
         tool=_resume('', 'train_dataloader = dict(batch_size=8)')),
)  # fmt: skip
def test_it(scene, case):
    play(scene, case)
