"""Compare the effective batch size with that of the learning rate."""

from mmengine.config import Config

# The effective batch may be this many times larger or smaller than the one
# the learning rate was set for before that is worth a warning.
BATCH_FACTOR = 2


def batch_text(cfg: Config, processes: int) -> tuple[str, str]:
    """Compare the batch with the one that the learning rate was set for.

    Args:
        cfg: The whole config; ``auto_scale_lr`` says what the rate is for.
        processes: World size.

    Returns:
        A line, and a warning ('' if there is no cause for one).
    """
    wrapper = cfg.get('optim_wrapper') or {}
    one = (cfg.get('train_dataloader') or {}).get('batch_size')
    rate = (wrapper.get('optimizer') or {}).get('lr')
    if one is None:
        return 'not in the config', ''
    counts = wrapper.get('accumulative_counts', 1)
    total = one * processes * counts
    line = f'{one} x {processes} processes x {counts} accumulated = {total}'
    scaling = cfg.get('auto_scale_lr') or {}
    base = scaling.get('base_batch_size')
    if base is None:
        return (
            f'{line}; the one that lr={rate} is for is not stated '
            '(auto_scale_lr.base_batch_size)'
        ), ''
    if scaling.get('enable'):
        # MMEngine scales with the processes, not with the accumulation.
        rate, base = rate and rate * one * processes / base, one * processes
    line += f'; lr={rate:g} is for {base}' if rate else f'; for {base}'
    if 1 / BATCH_FACTOR < total / base < BATCH_FACTOR:
        return line, ''
    return line, (
        f'[batch] The effective batch is {total}, but the learning rate '
        f'{rate} was set for {base} (auto_scale_lr.base_batch_size). Launch '
        f'with --auto-scale-lr, or choose the rate for {total} and set '
        f'auto_scale_lr.base_batch_size={total}.'
    )
