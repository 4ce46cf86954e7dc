"""Change one key of a shipped config, and see what tools/train.py makes of it.

The tool runs in this process up to the moment at which the training loop
would begin: the Runner, its hooks, loops, optimizer and schedules are real.
Models are built on the meta device, where they have shapes and no weights;
data sets have no files.
"""

import copy
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from functools import cache, partial, partialmethod
from importlib import import_module
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from cases import ROOT, Scene
from mmdet.evaluation.metrics import coco_metric
from mmengine.dataset import BaseDataset
from mmengine.model import BaseModule, PretrainedInit, initialize
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from small_models import classifier, distiller

import mmmgd.compat  # noqa: F401  # isort: skip  (mmrazor needs its repairs)

from mmrazor.models.algorithms.distill.configurable import (
    single_teacher_distill,
)

from mmmgd.config import is_distilled, read_config
from mmmgd.teacher import build
from mmmgd.teacher.teacher import Teacher

CONFIGS = sorted(
    str(path.relative_to(ROOT / 'configs'))
    for path in (ROOT / 'configs').rglob('*.py')
    if not path.name.startswith('_')
)
for package in ('mmdet', 'mmpretrain', 'mmseg'):
    import_module(f'{package}.datasets')
# Where keys are names that the user chooses.
OWN_NAMES = {'model.distill', 'model.teacher'}
OTHER = {str: 3, dict: [{}], list: {'a': 1}, tuple: {'a': 1}, type(None): 'x'}


@dataclass(frozen=True)
class Mutant:
    """A config with one change.

    Attributes:
        config: The config, below ``configs/``.
        path: Of the key.
        change: 'drop', 'rename', 'retype' or 'None'.
        seed: Chooses among misspellings.
    """

    config: str
    path: tuple
    change: str
    seed: int = 0

    @property
    def key(self) -> str:
        """The key, or what is nearest above the index of a list."""
        return next(k for k in reversed(self.path) if isinstance(k, str))

    @property
    def new_key(self) -> str:
        """The key with a typing error."""
        key, i = self.key, 1 + self.seed % max(1, len(self.key) - 1)
        swapped = key[: i - 1] + key[i : i + 1] + key[i - 1] + key[i + 1 :]
        ways = [key[:i] + key[i - 1 :], key[:i] + key[i + 1 :], swapped]
        fit = [w for w in ways if w.isidentifier() and w != key]
        return fit[self.seed // 7 % len(fit)]

    def build(self) -> dict:
        """Return the changed config."""
        cfg: Any = copy.deepcopy(flat(self.config))
        node: Any = cfg
        for part in self.path[:-1]:
            node = node[part]
        value, last = node[self.path[-1]], self.path[-1]
        if self.change == 'rename':
            items = [*node.items()]
            node.clear()
            node.update(
                {self.new_key if k == last else k: v for k, v in items}
            )
        elif self.change == 'drop':
            del node[last]
        elif self.change == 'None':
            node[last] = None
        else:
            node[last] = OTHER.get(type(value), str(value))
        return cfg


@cache
def flat(config: str) -> dict:
    """Return a config as plain dicts, with all that its bases say."""
    return read_config(str(ROOT / 'configs' / config)).to_dict()


@cache
def keys(config: str) -> list[tuple]:
    """List the paths of all keys of dicts, at any depth."""
    return list(_keys(flat(config)))


def _keys(node: Any, path: tuple = ()) -> Iterator[tuple]:
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in items:
        if isinstance(node, dict) and key != '_scope_':
            yield (*path, key)
        if isinstance(value, (dict, list, tuple)):
            yield from _keys(value, (*path, key))


class Reached(BaseException):
    """The training would begin."""


def outcome(scene: Scene, mutant: Mutant) -> tuple[str, str]:
    """Try a mutant; return how it ends, and what was said or has changed."""
    of_model = mutant.path[0] in ('model', 'data_preprocessor')
    runner = _begin(scene, mutant.build(), of_model)
    if runner is None:
        above = [k for k in mutant.path[-2:] if isinstance(k, str)]
        named = {mutant.key, mutant.new_key, *above}
        found = re.search(r'^error: .*', scene.text, re.S | re.M)
        if 'Traceback' in scene.text or not found:
            return 'bare', scene.text[-3000:]
        if not named & set(re.findall(r'\w+', found[0])):
            return 'unnamed', found[0]
        foreign = '(--traceback shows where.)' in found[0]
        return ('class' if foreign else 'ours'), found[0]
    changed = difference(_base(scene, mutant.config, of_model), runner)
    if not changed:
        return 'identical', ''
    legal = {'drop': 'default', 'None': 'none'}
    return legal.get(mutant.change, 'silent'), changed


BASES: dict = {}


def _base(scene: Scene, config: str, of_model: bool) -> Any:
    """What the config itself leads to."""
    key = config, of_model
    if key not in BASES:
        BASES[key] = _begin(scene, flat(config), of_model)
        assert BASES[key] is not None, scene.text
    return BASES[key]


def _begin(scene: Scene, cfg: dict, of_model: bool) -> Any:
    """Return what the Runner has when its loop would begin; None if never."""
    lines = [f'{key} = {value!r}' for key, value in cfg.items()]
    (scene.folder / 'm.py').write_text('\n'.join(lines), encoding='utf-8')
    with stand_ins(of_model):
        try:
            scene.train('--overwrite', config='m.py')
        except Reached as reached:
            return reached.args[0]
        except Exception as error:
            scene.text = f'Traceback {type(error).__name__}: {error}'
    return None


def stand_ins(of_model: bool) -> ExitStack:
    """Patch away files, weights, and the loop.

    Args:
        of_model: Whether the model itself is built, not a small one.
    """
    real = Runner.build_model

    def build_model(self: Any, model: Any) -> Any:
        if of_model:
            with torch.device('meta'):
                return real(self, model)
        small = distiller() if is_distilled(self.cfg) else classifier()
        return real(self, dict(copy.deepcopy(small), _scope_='mmpretrain'))

    def reach(loop: Any) -> None:
        raise Reached(look(loop.runner))

    stack = ExitStack()
    for owner, name, stand_in in (
        (Runner, 'build_model', build_model),
        (Runner, 'wrap_model', lambda self, cfg, model: model),
        (torch, 'linspace', partial(torch.linspace, device='cpu')),
        (build, 'torch', SimpleNamespace(device=nullcontext)),
        (Teacher, 'load', partialmethod(_load, Teacher.load)),
        (single_teacher_distill, 'load_checkpoint', lambda *_, **kw: None),
        (Teacher, 'listen', lambda self, student: None),
        (Runner, '_init_model_weights', _initialise),
        (PretrainedInit, '__call__', lambda self, module: None),
        (coco_metric, 'get_local_path', lambda path, **kw: nullcontext(path)),
        (coco_metric, 'COCO', lambda path: None),
        (EpochBasedTrainLoop, 'run', reach),
        (IterBasedTrainLoop, 'run', reach),
        (BaseDataset, '__len__', lambda self: 64),
        *((cls, 'full_init', _no_files) for cls in _with_files()),
    ):
        stack.enter_context(mock.patch.object(owner, name, stand_in))
    return stack


def _load(teacher: Any, real: Callable) -> None:
    """Load no file, but refuse what is none."""
    if not (
        isinstance(teacher.checkpoint, str) or teacher.checkpoint is False
    ):
        real(teacher)


def _initialise(runner: Any) -> None:
    """Let each module be initialised as its config says, without loading."""
    for module in runner.model.modules():
        if getattr(type(module), 'init_weights', 0) != BaseModule.init_weights:
            continue  # in a way of its own, on weights
        cfg = copy.deepcopy(module.init_cfg) or []
        for one in cfg if isinstance(cfg, list) else [cfg]:
            initialize(module, one)


def _no_files(data: Any) -> None:
    data.data_list, data._fully_initialized = [{}] * 64, True


def _with_files() -> list[type]:
    every, found = [BaseDataset], []
    while every:
        cls = every.pop()
        every += cls.__subclasses__()
        found += [cls] if 'full_init' in vars(cls) else []
    return found


PARTS = [
    'model',
    'optim_wrapper',
    'param_schedulers',
    'train_loop',
    'val_loop',
    'hooks',
    'visualizer',
    'log_processor',
    '_load_from',
    '_resume',
    'work_dir',
]
# What differs from run to run: times, folders, canvases, seeds.
UNSEEN = (
    r'cfg|message_hub|_?runner|timestamp|experiment_name|_instance_name|'
    r'json_log_path|.*seed|_?visualizer|.*_save_.*|.*(fig|ax)_save.*|.*_dir'
)


def look(runner: Any) -> dict:
    """Describe all that a Runner holds, so that it can be compared."""
    return {part: _look(getattr(runner, part, None), set()) for part in PARTS}


def _look(one: Any, seen: set) -> Any:
    if one is None or isinstance(one, (bool, int, float, str)):
        return one
    if isinstance(one, dict):
        return _looks(one, seen)
    if isinstance(one, (list, tuple)):
        return [_look(v, seen) for v in one]
    if isinstance(one, torch.Tensor):
        return [str(one.dtype), [*one.shape], one.requires_grad]
    if isinstance(one, (type, Callable)) and not hasattr(one, 'forward'):
        if isinstance(one, partial):
            return _look([one.func, one.args, one.keywords], seen)
        if not hasattr(one, '__dict__') or hasattr(one, '__qualname__'):
            return getattr(one, '__qualname__', type(one).__name__)
    if id(one) in seen or isinstance(one, Runner):
        return type(one).__name__
    seen.add(id(one))
    inner = _looks(getattr(one, '__dict__', {}), seen)
    return {'class': type(one).__qualname__, **inner}


def _looks(items: dict, seen: set) -> dict:
    return {
        str(key): _look(value, seen)
        for key, value in items.items()
        if not re.fullmatch(UNSEEN, str(key))
    }


def difference(one: Any, other: Any, path: str = '') -> str:
    """Return the first place where two descriptions differ; '' if none."""
    if isinstance(one, dict) and isinstance(other, dict):
        if one.keys() != other.keys():
            return f'{path}: {sorted(one.keys() ^ other.keys())}'
        pairs: Any = [(k, one[k], other[k]) for k in one]
    elif isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return f'{path}: {len(one)} and {len(other)}'
        pairs = [
            (i, a, b) for i, (a, b) in enumerate(zip(one, other, strict=True))
        ]
    else:
        same = one == other and isinstance(one, str) == isinstance(other, str)
        return '' if same else f'{path}: {one!r} and {other!r}'
    found = (difference(a, b, f'{path}.{k}') for k, a, b in pairs)
    return next(filter(None, found), '')
