"""Change one key of a shipped config, and see what tools/train.py makes of it.

The tool runs in this process up to the moment at which the training loop
would begin: the Runner, its hooks, loops, optimizer and schedules are real.
Models are built on the meta device, where they have shapes and no weights;
data sets have no files.
"""

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from cases import ROOT, Scene
from descriptions import difference
from stand_ins import Reached, stand_ins

from mmmgd.config import read_config

CONFIGS = sorted(
    str(path.relative_to(ROOT / 'configs'))
    for path in (ROOT / 'configs').rglob('*.py')
    if not path.name.startswith('_')
)
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
