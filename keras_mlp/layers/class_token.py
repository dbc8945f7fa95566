"""The class token at the start of a sequence: prepended, selected, dropped."""

from typing import Any

import keras
from keras import ops

from keras_mlp.arguments import check_initializer, check_positive_int
from keras_mlp.layers.known_axis import known_axis
from keras_mlp.typing import Config, Initializer, Shape, Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class PrependClassToken(keras.layers.Layer):
    """Prepends a learned class token to every sequence (Dosovitskiy et al., arXiv:2010.11929).

    Args:
        initializer: initializer of the token.
        count: number of learned tokens R; more than one for register tokens (Darcet et al.,
            arXiv:2309.16588).
        **kwargs: arguments of `keras.layers.Layer`.

    Shapes: (B, S, C) -> (B, R + S, C).

    >>> tuple(PrependClassToken()(numpy.ones((2, 4, 8))).shape)
    (2, 5, 8)
    """

    def __init__(self, initializer: Initializer = "zeros", count: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.initializer = check_initializer("initializer", initializer)
        self.count = check_positive_int("count", count)

    def build(self, input_shape: Shape) -> None:
        self.token = self.add_weight(
            name="token", shape=(1, self.count, input_shape[-1]), initializer=self.initializer
        )
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        # Padding and an addition rather than copies of the token for each sample: no operation
        # depends on the batch size, which converters would make a constant.
        after = known_axis(inputs.shape, 1)
        token = ops.pad(self.token, ((0, 0), (0, after), (0, 0)))
        return ops.pad(inputs, ((0, 0), (self.count, 0), (0, 0))) + token

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, tokens, channels = input_shape
        return (batch, None if tokens is None else tokens + self.count, channels)

    def get_config(self) -> Config:
        initializer = keras.initializers.serialize(self.initializer)
        return {**super().get_config(), "initializer": initializer, "count": self.count}


@keras.saving.register_keras_serializable("keras_mlp")
class ClassToken(keras.layers.Layer):
    """Selects the class token, the first token of a sequence.

    Args:
        count: number of first tokens R to select and join along the channels; 2 with a distillation
            token.
        **kwargs: arguments of `keras.layers.Layer`.

    Shapes: (B, R + S, C) -> (B, R * C).

    >>> tuple(ClassToken()(numpy.ones((2, 5, 8))).shape)
    (2, 8)
    """

    def __init__(self, count: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.count = check_positive_int("count", count)

    def call(self, inputs: Tensor) -> Tensor:
        if self.count == 1:
            return inputs[:, 0]
        return ops.concatenate([inputs[:, i] for i in range(self.count)], axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, _, channels = input_shape
        return (batch, self.count * channels)

    def get_config(self) -> Config:
        return {**super().get_config(), "count": self.count}


@keras.saving.register_keras_serializable("keras_mlp")
class GridTokens(keras.layers.Layer):
    """Drops the class token, the first token of a sequence.

    Args:
        count: number of tokens R to drop; more than one with register tokens.
        **kwargs: arguments of `keras.layers.Layer`.

    Shapes: (B, R + S, C) -> (B, S, C).

    >>> tuple(GridTokens()(numpy.ones((2, 5, 8))).shape)
    (2, 4, 8)
    """

    def __init__(self, count: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.count = check_positive_int("count", count)

    def call(self, inputs: Tensor) -> Tensor:
        return inputs[:, self.count :]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, tokens, channels = input_shape
        return (batch, None if tokens is None else tokens - self.count, channels)

    def get_config(self) -> Config:
        return {**super().get_config(), "count": self.count}
