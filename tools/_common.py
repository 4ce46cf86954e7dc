"""What `train.py` and `test.py` share: arguments, config, launch."""

import argparse
import datetime
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

import torch.distributed
from mmengine.config import Config, DictAction
from mmengine.device import get_device
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from torch.distributed.constants import default_pg_timeout

from mmmgd.config import check_config, read_config
from mmmgd.safe_load import guard_mmengine


def fail(message: str) -> NoReturn:
    """Ends the program with one line instead of a traceback."""
    raise SystemExit(f'error: {message}')


def parse_args(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None = None
) -> argparse.Namespace:
    """Adds the arguments that both tools have, and parses.

    Args:
        parser (ArgumentParser): Parser with the tool's own arguments.
        argv (Sequence[str], optional): Arguments. Defaults to ``sys.argv``.

    Returns:
        Namespace: The parsed arguments. ``LOCAL_RANK`` is set afterwards,
        unless the launcher has set it already.
    """
    parser.add_argument('--work-dir', help='folder for logs and checkpoints')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
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
    args = parser.parse_args(argv)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def require_file(path: str, argument: str) -> None:
    """Ends with one line if a local file is not there; URLs pass."""
    if '://' not in path and not Path(path).is_file():
        fail(
            f"{argument}: there is no file '{path}' (working folder: "
            f"'{Path.cwd()}')."
        )


def load_config(args: argparse.Namespace) -> Config:
    """Reads and checks the config, and settles launcher and work dir.

    The work dir is ``--work-dir``, else the config's ``work_dir``, else
    ``work_dirs/<name of the config>``.
    """
    # These errors say what to do; a traceback would only hide that.
    try:
        cfg = read_config(args.config, args.cfg_options)
    except (FileNotFoundError, ModuleNotFoundError) as error:
        fail(str(error))
    try:
        check_config(cfg)
    except ValueError as error:
        fail(str(error))
    cfg.launcher = args.launcher
    cfg.work_dir = (
        args.work_dir
        or cfg.get('work_dir')
        or str(Path('work_dirs') / Path(args.config).stem)
    )
    return cfg


def build_runner(cfg: Config, notes: Iterable[str | None] = ()) -> Runner:
    """Builds the runner and logs what the tool changed in the config.

    Checkpoints are read without running code in them from here on.

    Args:
        cfg (Config): The final config.
        notes (Iterable[str | None]): Lines for the log; None is left out.

    Returns:
        Runner: Ready for ``train`` or ``test``.
    """
    notes = [*notes, _prepare_cpu_launch(cfg)]
    guard_mmengine()
    runner = (
        RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    )
    for note in filter(None, notes):
        runner.logger.info(note)
    return runner


def leave_group() -> None:
    """Ends the process group, so that no rank exits while others talk."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _prepare_cpu_launch(cfg: Config) -> str | None:
    """Makes a launch of several processes work without a GPU.

    MMEngine assumes CUDA in three places: the backend is NCCL, its
    ``init_dist`` calls ``torch.cuda.set_device``, and the model is wrapped
    with ``device_ids``. With a process group already there it skips the
    first two; the third is a setting of the wrapper.

    Returns:
        str | None: A line for the log if something was changed.
    """
    if cfg.launcher == 'none' or get_device() != 'cpu':
        return None
    if cfg.launcher != 'pytorch':
        fail(
            f'--launcher {cfg.launcher} needs a GPU on every node, but CUDA '
            'is not available here. Without a GPU, start the processes with '
            'tools/dist_train.sh or tools/dist_test.sh.'
        )

    if cfg.get('model_wrapper_cfg') is None:
        # The values that the runner takes when it is told nothing.
        cfg.model_wrapper_cfg = dict(
            type='MMDistributedDataParallel',
            broadcast_buffers=False,
            find_unused_parameters=cfg.get('find_unused_parameters', False),
        )
    if cfg.model_wrapper_cfg.get('type') in (
        None,
        'MMDistributedDataParallel',
    ):
        cfg.model_wrapper_cfg.device_ids = None

    dist_cfg = cfg.get('env_cfg', {}).get('dist_cfg', {})
    given, seconds = dist_cfg.get('backend', 'nccl'), dist_cfg.get('timeout')
    backend = 'gloo' if given == 'nccl' else given
    cfg.merge_from_dict({'env_cfg.dist_cfg.backend': backend})
    torch.distributed.init_process_group(
        backend,
        timeout=datetime.timedelta(seconds=seconds)
        if seconds
        else default_pg_timeout,
    )
    if given != backend:
        return f'CUDA is not available: backend {given} -> {backend}.'
    return None
