"""The hooks of this package, each of which a config can name and tune."""

from .engine.hooks import *  # noqa: F403  (the list is there)
from .engine.hooks import __all__ as __all__
