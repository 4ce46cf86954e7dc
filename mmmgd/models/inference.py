"""What makes a frozen model's pass cheaper: a shorter type, a compiler.

Neither is exact, so both are options.
"""

import torch


def has_bfloat16() -> bool:
    """Whether this CPU has instructions for bfloat16.

    Without them torch emulates: on AVX2, a product of matrices takes some
    hundred times as long as in float32.
    """
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
