"""One narrow attention head."""

import keras
from keras import ops

from keras_mlp.arguments import check_positive_int
from keras_mlp.layers.dense import Dense


@keras.saving.register_keras_serializable("keras_mlp")
class TinyAttention(keras.layers.Layer):
    """Self-attention with a single narrow head (Liu et al., arXiv:2105.08050, aMLP).

    Queries, keys and values come from one product, in this order.

    Args:
        attention_dim: width d of queries, keys and values.
        output_dim: number of output channels D.
        kernel_initializer: of both dense layers; their biases start at 0.
        **kwargs: as for `keras.layers.Layer`.

    Shapes: (B, S, C) -> (B, S, D).

    Raises:
        ValueError: an argument is out of range.

    >>> tuple(TinyAttention(attention_dim=8, output_dim=32)(numpy.ones((2, 4, 16))).shape)
    (2, 4, 32)
    """

    def __init__(self, attention_dim, output_dim, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.attention_dim = check_positive_int("attention_dim", attention_dim)
        self.output_dim = check_positive_int("output_dim", output_dim)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        self.qkv = self._dense(3 * self.attention_dim, "qkv")
        self.projection = self._dense(self.output_dim, "projection")
        self.qkv.build(input_shape)
        self.projection.build((*input_shape[:-1], self.attention_dim))
        self.built = True

    def call(self, inputs):
        query, key, value = ops.split(self.qkv(inputs), 3, axis=-1)
        scores = ops.matmul(query * self.attention_dim**-0.5, ops.transpose(key, (0, 2, 1)))
        return self.projection(ops.matmul(ops.softmax(scores), value))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.output_dim)

    def get_config(self):
        return {
            **super().get_config(),
            "attention_dim": self.attention_dim,
            "output_dim": self.output_dim,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }

    def _dense(self, units, name):
        return Dense(
            units,
            # A clone: an unseeded initializer object used twice would repeat its numbers.
            kernel_initializer=self.kernel_initializer.clone(),
            dtype=self.dtype_policy,
            name=name,
        )
