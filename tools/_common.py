"""Arguments, config and launch, shared by `train.py` and `test.py`."""

import argparse
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

from _group import prepare_launch
from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmmgd.checkpoints.reading import guard_mmengine
from mmmgd.cli.messages import FLAG, HELP
from mmmgd.config import Options, check_config, read_config
from mmmgd.hooks import DataHook


def fail(message: str) -> NoReturn:
    """End the program with one line instead of a traceback."""
    raise SystemExit(f'error: {message}')


def parse_args(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None = None
) -> argparse.Namespace:
    """Add the arguments that both tools have, and parse.

    Args:
        parser: Parser with the tool's own arguments.
        argv: Arguments. Defaults to ``sys.argv``.

    Returns:
        The parsed arguments. ``LOCAL_RANK`` is set afterwards,
        unless the launcher has set it already.
    """
    parser.add_argument('--work-dir', help='folder for logs and checkpoints')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=Options,
        metavar='KEY=VALUE',
        help='config values to replace, e.g. optim_wrapper.optimizer.lr=0.1 '
        'or \'key="[(a,b),(c,d)]"\' (quotation marks, no white space)',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='who started the processes. Defaults to none (one process)',
    )
    # torch.distributed.launch writes the hyphen since torch 2.0, and the
    # underscore before; torchrun passes neither.
    parser.add_argument(
        '--local-rank',
        '--local_rank',
        type=int,
        default=0,
        help=argparse.SUPPRESS,
    )
    parser.add_argument(FLAG, action='store_true', help=HELP)
    args = parser.parse_args(argv)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def require_file(path: str, argument: str) -> None:
    """End with one line if a local file is not there; URLs pass."""
    if '://' not in path and not Path(path).is_file():
        fail(
            f"{argument}: there is no file '{path}' (working folder: "
            f"'{Path.cwd()}')."
        )


def load_config(args: argparse.Namespace) -> Config:
    """Read and check the config, and settle launcher and work dir.

    The work dir is ``--work-dir``, else the config's ``work_dir``, else
    ``work_dirs/<name of the config>``.
    """
    cfg = read_config(args.config, args.cfg_options)
    if not cfg.get('model'):
        fail(
            f"Expected a `model` in the config '{args.config}', but it has "
            f'none. Its keys are {", ".join(sorted(cfg)[:8]) or "none"}.'
        )
    check_config(cfg)
    cfg.launcher = args.launcher
    cfg.work_dir = (
        args.work_dir
        or cfg.get('work_dir')
        or str(Path('work_dirs') / Path(args.config).stem)
    )
    return cfg


def build_runner(cfg: Config, notes: Iterable[str | None] = ()) -> Runner:
    """Build the runner and log what the tool changed in the config.

    Checkpoints are read without running code in them from here on.

    Args:
        cfg: The final config.
        notes: Lines for the log; None is left out.

    Returns:
        Ready for ``train`` or ``test``.
    """
    notes = [*notes, prepare_launch(cfg)]
    guard_mmengine()
    runner = (
        RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    )
    if not any(isinstance(hook, DataHook) for hook in runner.hooks):
        runner.register_hook(DataHook())
    for note in filter(None, notes):
        runner.logger.info(note)
    return runner
