"""The connector's computation, in the fastest of equal ways."""

from .channels import generate_channels
from .choice import has_bfloat16
from .kernels import lay_out
from .masked_generator import masked_generate

__all__ = ['generate_channels', 'has_bfloat16', 'lay_out', 'masked_generate']
