"""The class token in front of a token sequence: put there, taken out, left out."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_mlp")
class PrependClassToken(keras.layers.Layer):
    """Puts a learned token in front of every sequence (Dosovitskiy et al., arXiv:2010.11929).

    Args:
        initializer: of the token.
        **kwargs: as for `keras.layers.Layer`.

    Shapes: (B, S, C) -> (B, 1 + S, C).

    >>> tuple(PrependClassToken()(numpy.ones((2, 4, 8))).shape)
    (2, 5, 8)
    """

    def __init__(self, initializer="zeros", **kwargs):
        super().__init__(**kwargs)
        self.initializer = keras.initializers.get(initializer)

    def build(self, input_shape):
        self.token = self.add_weight(
            name="token", shape=(1, 1, input_shape[-1]), initializer=self.initializer
        )
        self.built = True

    def call(self, inputs):
        tokens = ops.broadcast_to(self.token, (ops.shape(inputs)[0], 1, inputs.shape[-1]))
        return ops.concatenate([tokens, inputs], axis=1)

    def compute_output_shape(self, input_shape):
        batch, tokens, channels = input_shape
        return (batch, tokens + 1, channels)

    def get_config(self):
        initializer = keras.initializers.serialize(self.initializer)
        return {**super().get_config(), "initializer": initializer}


@keras.saving.register_keras_serializable("keras_mlp")
class ClassToken(keras.layers.Layer):
    """The class token of a sequence that starts with it.

    Shapes: (B, 1 + S, C) -> (B, C).

    >>> tuple(ClassToken()(numpy.ones((2, 5, 8))).shape)
    (2, 8)
    """

    def call(self, inputs):
        return inputs[:, 0]


@keras.saving.register_keras_serializable("keras_mlp")
class GridTokens(keras.layers.Layer):
    """All but the class token of a sequence that starts with it.

    Shapes: (B, 1 + S, C) -> (B, S, C).

    >>> tuple(GridTokens()(numpy.ones((2, 5, 8))).shape)
    (2, 4, 8)
    """

    def call(self, inputs):
        return inputs[:, 1:]
