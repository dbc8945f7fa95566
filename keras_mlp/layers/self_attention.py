"""Multi-head self-attention: every token asks every other."""

import keras
from keras import ops

from keras_mlp.arguments import check_positive_int, check_rate
from keras_mlp.layers.dense import Dense


@keras.saving.register_keras_serializable("keras_mlp")
class SelfAttention(keras.layers.Layer):
    """Scaled dot-product attention of a sequence to itself (Vaswani et al., arXiv:1706.03762).

    The A heads share the C channels, d = C / A each. Queries, keys and values are three dense
    layers of their own, so that a variance-scaling initializer sees the fans of each. Where the
    backend has a flash kernel, it is used. The attention map itself has no dropout.

    Args:
        num_heads: number of heads A; divides C.
        dropout_rate: in [0, 1), of the output.
        kernel_initializer, bias_initializer: of the four dense layers.
        **kwargs: as for `keras.layers.Layer`.

    Shapes: (B, N, C) -> (B, N, C).

    Raises:
        ValueError: an argument is out of range, or `num_heads` does not divide C.

    >>> tuple(SelfAttention(num_heads=2)(numpy.ones((2, 5, 8))).shape)
    (2, 5, 8)
    """

    def __init__(
        self,
        num_heads,
        dropout_rate=0.0,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_heads = check_positive_int("num_heads", num_heads)
        self.dropout_rate = check_rate("dropout_rate", dropout_rate)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)

    def build(self, input_shape):
        channels = input_shape[-1]
        self.head_dim = head_dim(channels, self.num_heads)
        self.query = self._dense(channels, "query")
        self.key = self._dense(channels, "key")
        self.value = self._dense(channels, "value")
        self.projection = self._dense(channels, "projection")
        self.dropout = keras.layers.Dropout(self.dropout_rate, dtype=self.dtype_policy)
        for layer in (self.query, self.key, self.value, self.projection, self.dropout):
            layer.build(input_shape)
        self.built = True

    def call(self, inputs, training=None):
        query, key, value = (
            self._split(dense(inputs)) for dense in (self.query, self.key, self.value)
        )
        attended = ops.dot_product_attention(query, key, value)
        attended = ops.reshape(attended, (-1, *inputs.shape[1:]))
        return self.dropout(self.projection(attended), training=training)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "dropout_rate": self.dropout_rate,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }

    def _split(self, x):
        """(B, N, C) -> (B, N, A, d)."""
        return ops.reshape(x, (-1, x.shape[1], self.num_heads, self.head_dim))

    def _dense(self, units, name):
        return Dense(
            units,
            # Clones: an unseeded initializer object used twice would repeat its numbers.
            kernel_initializer=self.kernel_initializer.clone(),
            bias_initializer=self.bias_initializer.clone(),
            dtype=self.dtype_policy,
            name=name,
        )


def head_dim(hidden_dim, num_heads):
    """Channels d of a head; ValueError unless the heads share `hidden_dim` evenly."""
    if hidden_dim % num_heads:
        raise ValueError(
            f"`num_heads`={num_heads} does not divide `hidden_dim`={hidden_dim}: every head takes "
            "the same number of channels."
        )
    return hidden_dim // num_heads
