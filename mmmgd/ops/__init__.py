"""The connector's computation, in the fastest of equal ways."""

from .choice import has_bfloat16
from .masked_generator import masked_generate

__all__ = ['has_bfloat16', 'masked_generate']
