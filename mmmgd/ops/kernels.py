"""How the generator's 3x3 kernels lie in memory.

The products need each of the nine positions of a kernel as a matrix. A
parameter may have any strides, so it can hold those matrices as they are
needed: nobody transposes weights or gradients then, and names, shapes and
values are those of an ordinary convolution.
"""

from torch import Tensor, nn


def positions_first(weight: Tensor) -> Tensor:
    """(C_out, C_in, 3, 3) -> (9, C_out, C_in): a view, or else a copy.

    It is a view if :func:`lay_out` has made the weight.
    """
    return weight.permute(2, 3, 0, 1).contiguous().flatten(0, 1)


def is_laid_out(weight: Tensor) -> bool:
    """Whether :func:`positions_first` is a view."""
    return weight.permute(2, 3, 0, 1).is_contiguous()


def lay_out(module: nn.Module, by_position: bool) -> None:
    """Store the 3x3 kernels of a module's convolutions by position, or not.

    Args:
        module: Holds the convolutions. Their parameters remain the objects
            that they are.
        by_position: True: (3, 3, C_out, C_in) in memory. False: as usual.
    """
    for conv in module.modules():
        if isinstance(conv, nn.Conv2d) and conv.kernel_size == (3, 3):
            weight = conv.weight.data
            if by_position:
                nine = weight.permute(2, 3, 0, 1).contiguous()
                conv.weight.data = nine.permute(2, 3, 0, 1)
            else:
                conv.weight.data = weight.contiguous()
