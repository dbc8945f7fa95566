"""Parts of a token sequence that has a class token in front."""

import keras


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
