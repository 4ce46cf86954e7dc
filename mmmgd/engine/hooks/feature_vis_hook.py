"""Draw the compared features during training."""

from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmmgd.engine.runner import model_of
from mmmgd.registry import HOOKS
from mmmgd.report.features import look, panels, pixels_of, sheet


@HOOKS.register_module()
class FeatureVisHook(Hook):
    """Draws the compared features of the first images after a validation.

    One picture a pair of points, ``features/<loss>``, goes to the Runner's
    visualizer, and so to each of its backends: files, TensorBoard, WandB.
    For each image: the activation of teacher and student, and for one mask
    what the generator is given, what it makes of it, the teacher's and the
    error. It takes one pass of a few images, and changes nothing.

    Args:
        images: How many.
        interval: Show after each so many validations.
        tile: Side of one picture in pixels.

    Examples:
        >>> custom_hooks = [dict(type='mmmgd.FeatureVisHook', images=2)]
    """

    def __init__(
        self, images: int = 4, interval: int = 1, tile: int = 96
    ) -> None:
        for name, value in (
            ('images', images),
            ('interval', interval),
            ('tile', tile),
        ):
            if type(value) is not int or value < 1:
                raise ValueError(
                    f'Expected `{name}` of FeatureVisHook to be an integer '
                    f'above 0, but got {value!r}.'
                )
        self.images, self.interval, self.tile = images, interval, tile
        self.validations = 0

    def after_val_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Draw the features, unless the teacher has been freed."""
        self.validations += 1
        model = model_of(runner)
        teacher = getattr(model, 'teacher', None)
        if (
            runner.rank
            or self.validations % self.interval
            or not getattr(teacher, 'loaded', False)
        ):
            return
        dataset = runner.val_dataloader.dataset
        items = [dataset[i] for i in range(min(self.images, len(dataset)))]
        batch = model.data_preprocessor(pseudo_collate(items), False)
        for name, one in look(model, batch['inputs']).items():
            rows = [
                {
                    'image': pixels_of(item, self.tile),
                    **panels(one, i, self.tile),
                }
                for i, item in enumerate(items)
            ]
            runner.visualizer.add_image(
                f'features/{name}', sheet(rows), runner.iter
            )
