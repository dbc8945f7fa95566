"""From stored pixels to what the first layer expects."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("keras_mlp")
class PixelNormalization(keras.layers.Layer):
    """Maps pixels in [0, 255], uint8 or float, to `(pixels / 255 - mean) / std`.

    Computed in float32 whatever the dtype policy, then cast to the policy's compute dtype.

    Args:
        mean: number or one per channel, on the [0, 1] scale.
        std: number or one per channel, above 0, on the [0, 1] scale.
        **kwargs: as for `keras.layers.Layer`.

    Shapes: (B, H, W, C) -> (B, H, W, C).

    Raises:
        ValueError: `std` is not above 0, or the numbers do not fit the channels.

    >>> float(PixelNormalization(0.5, 0.5)(numpy.full((1, 1, 1, 1), 255, "uint8"))[0, 0, 0, 0])
    1.0
    """

    def __init__(self, mean=0.5, std=0.5, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.mean = _channel_values("mean", mean)
        self.std = _channel_values("std", std)
        if np.any(np.asarray(self.std) <= 0):
            raise ValueError(f"`std` must be above 0, got {std!r}.")

    def build(self, input_shape):
        for name in ("mean", "std"):
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) != input_shape[-1]:
                raise ValueError(
                    f"`{name}`={value} has {len(value)} values for {input_shape[-1]} channels: "
                    "give one number, or one per channel."
                )
        # Without it a grey image would broadcast to the channels of `mean`.
        self.input_spec = keras.layers.InputSpec(axes={-1: input_shape[-1]})
        self.built = True

    def call(self, inputs):
        mean, std = np.asarray(self.mean, "float32"), np.asarray(self.std, "float32")
        # One multiplication and one addition: x * scale + shift.
        scale, shift = 1.0 / (255.0 * std), -mean / std
        outputs = ops.cast(inputs, "float32") * scale + shift
        return ops.cast(outputs, self.compute_dtype)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "mean": self.mean, "std": self.std}


def _channel_values(name, value):
    """A finite float, or a tuple of them."""
    error = ValueError(f"`{name}` must be a finite number or one per channel, got {value!r}.")
    try:
        array = np.asarray(value, "float64")
    except (TypeError, ValueError) as cause:
        raise error from cause
    if array.ndim > 1 or array.size == 0 or not np.all(np.isfinite(array)):
        raise error
    return float(array) if array.ndim == 0 else tuple(float(v) for v in array)
