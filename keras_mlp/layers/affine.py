"""A learned scale and shift per channel: ResMLP's replacement for normalisation."""

from typing import Any

import keras

from keras_mlp.typing import Config, Shape, Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class Affine(keras.layers.Layer):
    """`alpha * x + beta`, with one scale and shift per channel (Touvron et al., arXiv:2105.03404).

    Unlike a normalisation it computes no statistics, so it is cheap, and after training it can be
    folded into the linear layer that follows it.

    Args:
        **kwargs: arguments of `keras.layers.Layer`.

    Shapes: (B, ..., C) -> (B, ..., C).

    >>> tuple(Affine()(numpy.ones((2, 4, 8))).shape)
    (2, 4, 8)
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        shape = (input_shape[-1],)
        self.alpha = self.add_weight(name="alpha", shape=shape, initializer="ones")
        self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros")
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        return inputs * self.alpha + self.beta

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> Config:
        # Needed although it adds nothing: the config that Keras makes by itself cannot hold a
        # `dtype` given as a policy.
        return super().get_config()
