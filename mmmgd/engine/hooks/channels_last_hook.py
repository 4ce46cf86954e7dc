"""Store feature maps with the channels last."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmmgd.engine.memory_format import channels_last
from mmmgd.engine.runner import model_of
from mmmgd.registry import HOOKS


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Converts a model, and its teachers, to the channels-last format.

    Names, shapes, files and, up to rounding, all numbers stay as they are:
    sums are taken in another order. Convolutions on a CPU, and those in half
    precision on a GPU, are faster; docs/benchmarks.md has times. Operators of
    mmcv (RoIAlign, deformable convolution) get copies in the usual format. A
    model that calls ``view`` on a feature map refuses such maps with an error
    of torch. Under DDP, whose buckets were made before, torch warns and copies
    each gradient.

    For students without distillation as well::

        custom_hooks = [dict(type='mmmgd.ChannelsLastHook')]
    """

    def before_train(self, runner: Runner) -> None:
        """Convert what is trained, when it has its first weights.

        Random ones are drawn in the order of the memory: before, they would
        be others.
        """
        channels_last(model_of(runner))

    before_val = before_train
    before_test = before_train
