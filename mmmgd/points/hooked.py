"""Call functions around the forward pass of modules."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import nn


@contextmanager
def hooked(
    modules: Iterable[tuple[str, nn.Module]],
    after: Callable[..., Any] | None = None,
    before: Callable[..., Any] | None = None,
) -> Iterator[None]:
    """Call functions around modules until the block ends, however it does.

    Args:
        modules: Modules with their names, as ``named_modules()`` lists them.
        after: Called as ``after(name, module, args, output)``.
        before: Called as ``before(name, module, args)``.
    """
    handles = []
    try:
        for name, module in modules:
            if before is not None:
                handle = module.register_forward_pre_hook(
                    partial(before, name)
                )
                handles.append(handle)
            if after is not None:
                handle = module.register_forward_hook(partial(after, name))
                handles.append(handle)
        yield
    finally:
        for handle in handles:
            handle.remove()
