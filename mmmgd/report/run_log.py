"""Read what a training left in its work dir: curves, classes, pictures."""

import ast
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmmgd.config import close_names

SCALARS = 'vis_data/scalars.json'
Curve = list[tuple[int, float]]
# mmdet writes the scalars of `classwise=True`; a step of ours has a slash too.
PER_CLASS = re.compile(r'^(?:\w+/)?(.+)_precision$')
# mmpretrain writes lists into the log, mmseg a table.
LISTED = re.compile(r'([\w/-]+)_classwise: \[([^]]*)\]')
TABLE = 'per class results:'


@dataclass
class RunLog:
    """A training, as its work dir tells it.

    Attributes:
        folder: The work dir.
        name: What it is called among others. Defaults to the folder's name.
        cfg: The whole config it ran with, where its visualizer kept it.
        curves: Of each validation metric, its values by training step.
        ratio: Distillation / task loss by training step, of a distilled run.
        seconds: Time of all training steps that are in the log.
        classes: Of each metric that is per class, the newest values by class.
        pictures: Of each kind of picture, the newest file.
    """

    folder: Path
    name: str = ''
    cfg: Config | None = None
    curves: dict[str, Curve] = field(default_factory=dict)
    ratio: Curve = field(default_factory=list)
    seconds: float = 0.0
    classes: dict[str, dict[str, float]] = field(default_factory=dict)
    pictures: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.name = self.name or self.folder.resolve().name


def read_run(folder: str | Path) -> RunLog:
    """Read a work dir; of steps that were trained twice the newer count.

    Raises:
        FileNotFoundError: If there is no such folder, or no log in it.
    """
    path = Path(folder).expanduser()
    starts = [file.parents[1] for file in sorted(path.glob(f'*/{SCALARS}'))]
    if not starts:
        raise FileNotFoundError(_missing(path))
    run = RunLog(path)
    train: list[tuple[int, dict[str, Any]]] = []
    val: list[tuple[int, dict[str, Any]]] = []
    for start in starts:
        for step, entry, trained in _entries(start / SCALARS):
            kept = train if trained else val
            while kept and kept[-1][0] >= step:  # resumed, or begun anew
                kept.pop()
            kept.append((step, entry))
        run.classes.update(_logged_classes(start / f'{start.name}.log'))
        run.pictures.update(_pictures(start / 'vis_data' / 'vis_image'))
        run.cfg = _config(start / 'vis_data' / 'config.py') or run.cfg
    _take_train(run, train)
    _take_val(run, val)
    _name_classes(run)
    return run


def _missing(path: Path) -> str:
    if path.is_dir():
        return (
            f'Expected the log of a training in {str(path)!r} '
            f'(<time>/{SCALARS}), but there is none. It is the work dir of a '
            'run that is wanted, and LocalVisBackend has to be among its '
            '`vis_backends`, as by default.'
        )
    beside = [p.name for p in path.parent.glob('*') if p.is_dir()]
    close = close_names(path.name, beside)
    return f'Expected a work dir, but there is no folder {str(path)!r}.' + (
        f' Close names: {", ".join(close)}.' if close else ''
    )


def _entries(file: Path) -> Iterator[tuple[int, dict[str, Any], bool]]:
    """Read step, content, and whether it is of training, of each line.

    MMEngine counts validations by epochs or by steps; they are put after the
    training step that they follow.
    """
    step = 0
    for line in file.read_text('utf-8').splitlines():
        try:
            entry = json.loads(line)
        except ValueError:  # half a line, of a run that was killed
            continue
        trained = 'iter' in entry
        if trained:
            step = entry['iter']
        elif any(key.startswith('distill') for key in entry):
            continue  # scalars of MonitorHook, the ratio among them
        yield step, entry, trained


def _take_train(run: RunLog, lines: list[tuple[int, dict[str, Any]]]) -> None:
    before = 0
    for step, entry in lines:
        run.seconds += entry.get('time', 0.0) * (step - before)
        before = step
        if 'distill_ratio' in entry:
            run.ratio.append((step, entry['distill_ratio']))


def _take_val(run: RunLog, lines: list[tuple[int, dict[str, Any]]]) -> None:
    curves: dict[str, Curve] = defaultdict(list)
    for step, entry in lines:
        by_class = {}
        for key, value in entry.items():
            if key in ('step', 'time', 'data_time'):
                continue
            if one := PER_CLASS.match(key):
                by_class[one[1]] = float(value)
            elif isinstance(value, int | float):
                curves[key].append((step, float(value)))
        if by_class:
            run.classes['precision'] = by_class
    run.curves = dict(curves)


def _logged_classes(file: Path) -> dict[str, dict[str, float]]:
    """Return the newest values by class that stand in the text alone."""
    if not file.is_file():
        return {}
    text = file.read_text('utf-8', errors='replace')
    found = {}
    for metric, values in LISTED.findall(text):
        numbers = ast.literal_eval(f'[{values}]')
        found[metric.rpartition('/')[2]] = {
            str(i): float(v) for i, v in enumerate(numbers)
        }
    if TABLE in text:
        found.update(_table(text.rpartition(TABLE)[2]))
    return found


def _table(text: str) -> dict[str, dict[str, float]]:
    """Read the first table of a text: classes down, metrics across."""
    _, _, text = text.partition('\n+-')
    rows = []
    for line in text.splitlines()[1:]:
        if line.startswith('|'):
            rows.append([cell.strip() for cell in line.strip('|').split('|')])
        elif not line.startswith('+'):
            break
    if not rows:
        return {}
    head, *body = rows
    return {
        metric: {row[0]: float(row[i]) for row in body}
        for i, metric in enumerate(head[1:], 1)
    }


def _name_classes(run: RunLog) -> None:
    """Name the classes of mmpretrain's lists, where the config does."""
    loader = (run.cfg or {}).get('val_dataloader') or {}
    dataset = loader.get('dataset') or {}
    names = dataset.get('classes') or (dataset.get('metainfo') or {}).get(
        'classes'
    )
    if isinstance(names, list | tuple):
        numbered = {str(i): str(name) for i, name in enumerate(names)}
        run.classes = {
            metric: {numbered.get(k, k): v for k, v in values.items()}
            for metric, values in run.classes.items()
        }


def _pictures(folder: Path) -> dict[str, Path]:
    """Return the picture of the highest step of each name."""
    found: dict[str, tuple[int, Path]] = {}
    for file in folder.rglob('*.png'):
        name, _, step = file.stem.rpartition('_')
        if not step.isdigit():
            name, step = file.stem, '0'
        name = str(file.relative_to(folder).with_name(name))
        if name not in found or found[name][0] < int(step):
            found[name] = (int(step), file)
    return {name: path for name, (_, path) in sorted(found.items())}


def _config(file: Path) -> Config | None:
    """Read a config without importing what it names."""
    if not file.is_file():
        return None
    return Config.fromfile(file, import_custom_modules=False)
