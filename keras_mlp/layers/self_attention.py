"""Multi-head self-attention."""

from typing import Any

import keras
from keras import ops

from keras_mlp.arguments import (
    check_bool,
    check_initializer,
    check_positive_int,
    check_rate,
    clone_initializer,
)
from keras_mlp.layers.composite import Composite
from keras_mlp.layers.dense import Dense
from keras_mlp.layers.known_axis import known_axis
from keras_mlp.typing import Config, Initializer, Shape, Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class SelfAttention(Composite):
    """Multi-head scaled dot-product self-attention (Vaswani et al., arXiv:1706.03762).

    Each of the A heads has d = C / A channels. Queries, keys and values come from three separate
    dense layers, so that a variance-scaling initializer sees the fans of each. A flash kernel is
    used where the backend has one. There is no dropout on the attention weights.

    Args:
        num_heads: number of heads A; must divide C.
        dropout_rate: in [0, 1), applied to the output.
        kernel_initializer: initializer of the kernels of all four dense layers.
        bias_initializer: initializer of their biases.
        qkv_bias: add biases to queries, keys and values.
        **kwargs: arguments of `keras.layers.Layer`.

    Shapes: (B, N, C) -> (B, N, C).

    Raises:
        ValueError: an argument is out of range, or `num_heads` does not divide C.

    >>> tuple(SelfAttention(num_heads=2)(numpy.ones((2, 5, 8))).shape)
    (2, 5, 8)
    """

    def __init__(
        self,
        num_heads: int,
        dropout_rate: float = 0.0,
        kernel_initializer: Initializer = "glorot_uniform",
        bias_initializer: Initializer = "zeros",
        qkv_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = check_positive_int("num_heads", num_heads)
        self.dropout_rate = check_rate("dropout_rate", dropout_rate)
        self.qkv_bias = check_bool("qkv_bias", qkv_bias)
        self.kernel_initializer = check_initializer("kernel_initializer", kernel_initializer)
        self.bias_initializer = check_initializer("bias_initializer", bias_initializer)

    def build(self, input_shape: Shape) -> None:
        channels = known_axis(input_shape, -1)
        self.head_dim = head_dim(channels, self.num_heads)
        self.query = self._dense(channels, self.qkv_bias, "query")
        self.key = self._dense(channels, self.qkv_bias, "key")
        self.value = self._dense(channels, self.qkv_bias, "value")
        self.projection = self._dense(channels, True, "projection")
        self.dropout = keras.layers.Dropout(self.dropout_rate, dtype=self.dtype_policy)
        for layer in (self.query, self.key, self.value, self.projection, self.dropout):
            layer.build(input_shape)
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        query, key, value = (
            self._split(dense(inputs)) for dense in (self.query, self.key, self.value)
        )
        attended = _attended(query, key, value)
        attended = ops.reshape(attended, (-1, *inputs.shape[1:]))
        return self.dropout(self.projection(attended), training=training)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "dropout_rate": self.dropout_rate,
            "qkv_bias": self.qkv_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }

    def _split(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, N, A, d)."""
        return ops.reshape(x, (-1, x.shape[1], self.num_heads, self.head_dim))

    def _dense(self, units: int, use_bias: bool, name: str) -> Dense:
        return Dense(
            units,
            use_bias=use_bias,
            # Clones: an unseeded initializer returns the same values each time it is called.
            kernel_initializer=clone_initializer(self.kernel_initializer),
            bias_initializer=clone_initializer(self.bias_initializer),
            dtype=self.dtype_policy,
            name=name,
        )


def _attended(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Values, weighted by the softmax over scaled scores; all (B, N, A, d)."""
    if (backend := keras.backend.backend()) != "tensorflow":
        # On a GPU, JAX has cuDNN's kernel, which does not train an odd number of tokens. Keras
        # would try it, and log a traceback for every layer before it does without.
        flash = False if backend == "jax" and query.shape[1] % 2 else None
        return ops.dot_product_attention(query, key, value, flash_attention=flash)
    # Keras has no flash kernel on TensorFlow. It uses Einsums and the batch size, which makes an
    # exported ViT fail on an empty batch. Like Keras', the softmax is in float32 at least.
    scores = ops.matmul(ops.transpose(query, (0, 2, 1, 3)), ops.transpose(key, (0, 2, 3, 1)))
    precise = keras.backend.result_type(scores.dtype, "float32")
    weights = ops.softmax(ops.cast(scores, precise) * query.shape[-1] ** -0.5)
    value = ops.transpose(value, (0, 2, 1, 3))
    attended = ops.matmul(ops.cast(weights, value.dtype), value)
    return ops.transpose(attended, (0, 2, 1, 3))


def head_dim(hidden_dim: int, num_heads: int) -> int:
    """Returns the channels of a head, or raises ValueError unless the heads divide `hidden_dim`."""
    if hidden_dim % num_heads:
        raise ValueError(
            f"`num_heads`={num_heads} does not divide `hidden_dim`={hidden_dim}: every head has "
            "the same number of channels."
        )
    return hidden_dim // num_heads
