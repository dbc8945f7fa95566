"""The class token at the start of a sequence: prepended, selected, dropped."""

from typing import Any

import keras
from keras import ops

from keras_mlp.typing import Config, Initializer, Shape, Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class PrependClassToken(keras.layers.Layer):
    """Prepends a learned class token to every sequence (Dosovitskiy et al., arXiv:2010.11929).

    Args:
        initializer: initializer of the token.
        **kwargs: arguments of `keras.layers.Layer`.

    Shapes: (B, S, C) -> (B, 1 + S, C).

    >>> tuple(PrependClassToken()(numpy.ones((2, 4, 8))).shape)
    (2, 5, 8)
    """

    def __init__(self, initializer: Initializer = "zeros", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.initializer = keras.initializers.get(initializer)

    def build(self, input_shape: Shape) -> None:
        self.token = self.add_weight(
            name="token", shape=(1, 1, input_shape[-1]), initializer=self.initializer
        )
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        tokens = ops.broadcast_to(self.token, (ops.shape(inputs)[0], 1, inputs.shape[-1]))
        return ops.concatenate([tokens, inputs], axis=1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, tokens, channels = input_shape
        return (batch, None if tokens is None else tokens + 1, channels)

    def get_config(self) -> Config:
        initializer = keras.initializers.serialize(self.initializer)
        return {**super().get_config(), "initializer": initializer}


@keras.saving.register_keras_serializable("keras_mlp")
class ClassToken(keras.layers.Layer):
    """Selects the class token, the first token of a sequence.

    Args:
        **kwargs: arguments of `keras.layers.Layer`.

    Shapes: (B, 1 + S, C) -> (B, C).

    >>> tuple(ClassToken()(numpy.ones((2, 5, 8))).shape)
    (2, 8)
    """

    def call(self, inputs: Tensor) -> Tensor:
        return inputs[:, 0]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, _, channels = input_shape
        return (batch, channels)

    def get_config(self) -> Config:
        # Needed although it adds nothing: the config that Keras makes by itself cannot hold a
        # `dtype` given as a policy.
        return super().get_config()


@keras.saving.register_keras_serializable("keras_mlp")
class GridTokens(keras.layers.Layer):
    """Drops the class token, the first token of a sequence.

    Args:
        **kwargs: arguments of `keras.layers.Layer`.

    Shapes: (B, 1 + S, C) -> (B, S, C).

    >>> tuple(GridTokens()(numpy.ones((2, 5, 8))).shape)
    (2, 4, 8)
    """

    def call(self, inputs: Tensor) -> Tensor:
        return inputs[:, 1:]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, tokens, channels = input_shape
        return (batch, None if tokens is None else tokens - 1, channels)

    def get_config(self) -> Config:
        # Needed although it adds nothing: the config that Keras makes by itself cannot hold a
        # `dtype` given as a policy.
        return super().get_config()
