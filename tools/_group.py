"""Join and leave the process group of a launch."""

import datetime
import os

import torch.distributed
from mmengine.config import Config
from mmengine.device import get_device
from torch.distributed.constants import default_pg_timeout

# What a launcher tells each of its processes.
LAUNCHED = {
    'pytorch': ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT'),
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_NODELIST'),
    'mpi': ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE'),
}


def prepare_launch(cfg: Config) -> str | None:
    """Join the process group where MMEngine would fail to.

    Args:
        cfg: Changed in place.

    Returns:
        str | None: A line for the log if something was changed.
    """
    _check_launched(cfg.launcher)
    _rejoin_on_gpu(cfg)
    return _prepare_cpu_launch(cfg)


def _check_launched(launcher: str) -> None:
    """End if nobody has started the processes of a launch."""
    missing = [v for v in LAUNCHED.get(launcher, ()) if v not in os.environ]
    if missing:
        raise SystemExit(
            f'error: --launcher {launcher} is for processes that it has '
            f'started, but {", ".join(missing)} is not set in the environment.'
            ' Use tools/dist_train.sh, tools/slurm_train.sh or torchrun, or '
            'leave --launcher out.'
        )


def leave_group() -> None:
    """End the process group, so that no rank exits while others talk."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _prepare_cpu_launch(cfg: Config) -> str | None:
    """Make a launch of several processes work without a GPU.

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
        raise SystemExit(
            f'error: --launcher {cfg.launcher} needs a GPU on every node, but '
            'CUDA is not available here. Without one, start processes with '
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
    _join_group(backend, seconds)
    if given != backend:
        return f'CUDA is not available: backend {given} -> {backend}.'
    return None


def _rejoin_on_gpu(cfg: Config) -> None:
    """Join the group in MMEngine's place after a restart by torchrun."""
    restarted = int(os.environ.get('TORCHELASTIC_RESTART_COUNT', 0))
    if not restarted or cfg.launcher != 'pytorch' or get_device() != 'cuda':
        return
    torch.cuda.set_device(int(os.environ['LOCAL_RANK']))
    dist_cfg = cfg.get('env_cfg', {}).get('dist_cfg', {})
    _join_group(dist_cfg.get('backend', 'nccl'), dist_cfg.get('timeout'))


def _join_group(backend: str, seconds: float | None) -> None:
    """Start the process group, among the processes of this attempt.

    torchrun keeps its store over restarts: without a prefix a process may
    read there the address of one that has died.
    """
    timeout = (
        datetime.timedelta(seconds=seconds) if seconds else default_pg_timeout
    )
    store, rank, world_size = next(
        torch.distributed.rendezvous('env://', timeout=timeout)
    )
    attempt = os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')
    torch.distributed.init_process_group(
        backend,
        store=torch.distributed.PrefixStore(f'attempt{attempt}', store),
        rank=rank,
        world_size=world_size,
        timeout=timeout,
    )
