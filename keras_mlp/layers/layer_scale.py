"""A learned factor per channel on a residual branch."""

from typing import Any

import keras

from keras_mlp.arguments import check_positive
from keras_mlp.typing import Config, Shape, Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class LayerScale(keras.layers.Layer):
    """Multiplies every channel by its own learned factor (Touvron et al., arXiv:2103.17239).

    At the end of a residual branch, with a small initial value, it makes deep networks start near
    the identity.

    Args:
        init_value: initial value of every factor, above 0.
        **kwargs: arguments of `keras.layers.Layer`.

    Shapes: (B, ..., C) -> (B, ..., C).

    Raises:
        ValueError: `init_value` is not a finite number above 0.

    >>> float(LayerScale(0.5)(numpy.ones((1, 1, 1)))[0, 0, 0])
    0.5
    """

    def __init__(self, init_value: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.init_value = check_positive("init_value", init_value)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        self.gamma = self.add_weight(
            name="gamma",
            shape=(input_shape[-1],),
            initializer=keras.initializers.Constant(self.init_value),
        )
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        return inputs * self.gamma

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> Config:
        return {**super().get_config(), "init_value": self.init_value}
