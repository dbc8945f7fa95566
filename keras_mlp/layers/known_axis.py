"""Sizes that a layer needs to make its weights."""

from keras_mlp.typing import Shape


def known_axis(input_shape: Shape, axis: int) -> int:
    """Returns the size of an axis, or raises ValueError if it is not known yet."""
    size = input_shape[axis]
    if size is None:
        raise ValueError(
            f"Axis {axis} of the inputs must have a known size, got shape {tuple(input_shape)}."
        )
    return size
