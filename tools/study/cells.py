"""Train and test one cell of a study, and return its result line."""

import datetime
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from _stages import Running, Stage

from mmmgd.checkpoints.atomic import write
from mmmgd.checkpoints.state_dicts import read_state_dict

from . import identity
from .grid import Cell, Metric, Study
from .lines import Line

TOOLS = Path(__file__).resolve().parents[1]
TESTING = ', testing'  # the end of the title of an evaluation


@dataclass(frozen=True)
class Plan:
    """A cell that will run, with its folder and commands.

    Args:
        study: What asks for it.
        cell: What to train.
        digests: 'settings', 'code', 'data' and 'teacher' of its line.
        export: Of what others start or learn from: the file they read.
        logging: Overrides that change what is logged, and no result.
    """

    study: Study
    cell: Cell
    digests: Mapping[str, str | None]
    export: Path | None = None
    logging: Mapping[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Return the work dir: another one for each set of digests."""
        mark = identity.short(self.digests)
        base = Path('work_dirs/studies') / self.study.name
        return base / f'{self.cell.name}-{mark}'

    @property
    def metric(self) -> Metric:
        """Return the number that is read."""
        return self.study.metric_of(self.cell)

    @property
    def key(self) -> tuple:
        """Return the key that identifies its result line."""
        return identity.key({**self._names(), **self.digests})

    @cached_property
    def is_given(self) -> bool:
        """Tell whether its exported file exists; it is never replaced."""
        return self.export is not None and self.export.is_file()

    @property
    def last(self) -> Stage:
        """Return the stage after which it is finished."""
        return self.stages[-1]

    @cached_property
    def stages(self) -> list[Stage]:
        """Return the training, and the evaluation where there is one."""
        stages = []
        if not self.is_given:
            train = [str(TOOLS / 'train.py'), self.cell.config, '--resume']
            train += ['--work-dir', str(self.folder), *self._options()]
            log = self.folder / 'train.log'
            stages.append(Stage(self.cell.name, train, log))
        if self.study.split == 'test' or self.export:
            file = self.export or self.folder / 'last.pth'
            test = [str(TOOLS / 'test.py'), self.cell.config, str(file)]
            test += ['--work-dir', str(self.folder / 'test')]
            test += ['--out', str(self.folder / 'metrics.json')]
            test += self._options()
            log = self.folder / 'test.log'
            needs = [stage.title for stage in stages]
            title = f'{self.cell.name}{TESTING}'
            stages.append(Stage(title, test, log, needs))
        return stages

    def _names(self) -> Line:
        cell = self.cell
        return {
            'task': cell.task,
            'method': cell.method,
            'point': dict(cell.point),
            'seed': cell.seed,
        }

    def _options(self) -> list[str]:
        values = {
            **self.cell.overrides,
            'randomness.seed': self.cell.seed,
            **self.logging,
        }
        return [
            '--cfg-options',
            *(f'{k}={_word(v)}' for k, v in values.items()),
        ]

    def trained(self) -> None:
        """Give the last checkpoint a name without a number."""
        pointer = (self.folder / 'last_checkpoint').read_text()
        last = self.folder / 'last.pth'
        last.unlink(missing_ok=True)
        last.symlink_to(Path(pointer).name)
        if self.export is not None:
            export_half(last, self.export)

    def line(self, training: Running | None) -> Line:
        """Return the result line, read from the files of the run.

        Args:
            training: None where there was none, as its file was there.
        """
        scalars = read_scalars(self.folder)
        metric, cell = self.metric, self.cell
        curve = curve_of(scalars, metric)
        if self.last.title.endswith(TESTING):
            metrics = json.loads((self.folder / 'metrics.json').read_text())
            value = metrics[metric.name] * metric.percent
        else:
            value = curve['value'][-1]
        now = datetime.datetime.now(datetime.timezone.utc)
        return {
            **self._names(),
            'metric': metric.name,
            'value': value,
            'split': self.study.split,
            'config': cell.config,
            'overrides': dict(cell.overrides),
            'curve': curve,
            'losses': loss_means(scalars),
            'steps': max((row['step'] for row in scalars), default=0),
            'seconds': training and round(training.seconds, 1),
            'cpu_seconds': training and round(training.cpu_seconds, 1),
            # A training that was killed went on: its times are of the rest.
            'resumed': len(list(self.folder.glob('*/vis_data'))) > 1,
            **self.digests,
            'commit': identity.commit(),
            'versions': identity.versions(),
            'processor': identity.processor(),
            'finished': now.isoformat(timespec='seconds'),
        }


def read_scalars(folder: Path) -> list[dict[str, Any]]:
    """Return the scalars of the log in the order of the steps.

    After a killed training went on, its later word counts.
    """
    rows: dict[tuple, dict] = {}
    for file in sorted(folder.glob('*/vis_data/scalars.json')):
        for text in file.read_text().splitlines():
            try:
                row = json.loads(text)
            except ValueError:  # the process was killed while it wrote
                continue
            row['step'] = int(row.get('step', row.get('iter', 0)))
            rows[row['step'], 'loss' in row] = row
    return [rows[key] for key in sorted(rows)]


def curve_of(
    scalars: Sequence[Mapping[str, Any]], metric: Metric
) -> dict[str, list]:
    """Return step and value of each validation during training."""
    rows = [row for row in scalars if metric.name in row]
    return {
        'step': [row['step'] for row in rows],
        'value': [row[metric.name] * metric.percent for row in rows],
    }


def loss_means(scalars: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the mean of each loss over the logged steps."""
    rows = [row for row in scalars if 'loss' in row]
    names = {name for row in rows for name in row if 'loss' in name}
    return {
        name: round(sum(r.get(name, 0.0) for r in rows) / len(rows), 6)
        for name in sorted(names)
    }


def export_half(source: Path, target: Path) -> None:
    """Write a model's weights at half precision, for keeping with the study.

    What comes out is the model: it is evaluated and learned from as written.
    """
    state = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in read_state_dict(str(source)).items()
    }
    content = io.BytesIO()
    torch.save({'state_dict': state}, content)
    write(target, content.getvalue())


def _word(value: Any) -> str:
    """Write a value as ``--cfg-options`` reads it."""
    if isinstance(value, list | tuple):
        return f'[{",".join(map(_word, value))}]'
    return str(value)
