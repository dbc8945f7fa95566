"""What the axes of a model's weights run over."""

import re

from keras_mlp.models import VisionModel

_BLOCK = re.compile(r"^(?:stage_\d+_)?block_\d+/")


def token_axes(model: VisionModel, weight_path: str) -> tuple[str, ...] | None:
    """What each axis of a weight runs over, as `interpolate_tokens` takes it.

    Returns:
        A tuple, or None for a weight whose shape is independent of the image size.
    """
    return model.token_mixing.axes.get(_BLOCK.sub("", weight_path))
