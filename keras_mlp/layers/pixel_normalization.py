"""Pixels to the normalised images that the first layer expects."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_mlp.arguments import shown
from keras_mlp.typing import Config, Shape, Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class PixelNormalization(keras.layers.Layer):
    """Maps pixels in [0, 255], uint8 or float, to `(pixels / 255 - mean) / std`.

    Computed in float32 under every dtype policy, then cast to its compute dtype.

    Args:
        mean: one number, or one per channel, on the [0, 1] scale.
        std: one number, or one per channel, above 0, on the [0, 1] scale.
        **kwargs: arguments of `keras.layers.Layer`.

    Shapes: (B, H, W, C) -> (B, H, W, C).

    Raises:
        ValueError: `std` is not above 0, or the number of values does not match the channels.

    >>> float(PixelNormalization(0.5, 0.5)(numpy.full((1, 1, 1, 1), 255, "uint8"))[0, 0, 0, 0])
    1.0
    """

    def __init__(
        self, mean: float | Sequence[float] = 0.5, std: float | Sequence[float] = 0.5, **kwargs: Any
    ) -> None:
        super().__init__(autocast=False, **kwargs)
        self.mean = _channel_values("mean", mean)
        self.std = _channel_values("std", std)
        if np.any(np.asarray(self.std) <= 0):
            raise ValueError(f"`std` must be above 0, got {shown(std)}.")

    def build(self, input_shape: Shape) -> None:
        for name in ("mean", "std"):
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) != input_shape[-1]:
                raise ValueError(
                    f"`{name}`={value} has {len(value)} values for {input_shape[-1]} channels: "
                    "give one number, or one per channel."
                )
        # Otherwise a greyscale image would broadcast to the channels of `mean`.
        self.input_spec = keras.layers.InputSpec(axes={-1: input_shape[-1]})
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        mean, std = np.asarray(self.mean, "float32"), np.asarray(self.std, "float32")
        # One multiplication and one addition: x * scale + shift.
        scale, shift = 1.0 / (255.0 * std), -mean / std
        outputs = ops.cast(inputs, "float32") * scale + shift
        return ops.cast(outputs, self.compute_dtype)

    def compute_output_spec(self, inputs: Tensor) -> keras.KerasTensor:
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> Config:
        return {**super().get_config(), "mean": self.mean, "std": self.std}


def _channel_values(name: str, value: Any) -> float | tuple[float, ...]:
    """Returns a finite float, or a tuple of them, or raises ValueError."""
    error = ValueError(f"`{name}` must be a finite number, or one per channel, got {shown(value)}.")
    try:
        array = np.asarray(value, "float64")
    except (TypeError, ValueError) as cause:
        raise error from cause
    if array.ndim > 1 or array.size == 0 or not np.all(np.isfinite(array)):
        raise error
    return float(array) if array.ndim == 0 else tuple(float(v) for v in array)
