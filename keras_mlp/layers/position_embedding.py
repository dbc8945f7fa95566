"""Learned positions, one vector per token."""

import keras


@keras.saving.register_keras_serializable("keras_mlp")
class PositionEmbedding(keras.layers.Layer):
    """Adds a learned vector to every token (Dosovitskiy et al., arXiv:2010.11929).

    The class token, where there is one, has a vector too. The table belongs to one number of tokens
    N; `keras_mlp.weights.resize_positions` makes one for another image size.

    Args:
        initializer: of the table; None for the paper's, normal with a deviation of 0.02.
        **kwargs: as for `keras.layers.Layer`.

    Shapes: (B, N, C) -> (B, N, C).

    >>> tuple(PositionEmbedding()(numpy.ones((2, 5, 8))).shape)
    (2, 5, 8)
    """

    def __init__(self, initializer=None, **kwargs):
        super().__init__(**kwargs)
        self.initializer = keras.initializers.get(
            initializer or keras.initializers.RandomNormal(stddev=0.02)
        )

    def build(self, input_shape):
        self.embeddings = self.add_weight(
            name="embeddings", shape=(1, *input_shape[1:]), initializer=self.initializer
        )
        self.built = True

    def call(self, inputs):
        return inputs + self.embeddings

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        initializer = keras.initializers.serialize(self.initializer)
        return {**super().get_config(), "initializer": initializer}
