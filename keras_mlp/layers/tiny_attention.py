"""The single narrow attention head of aMLP."""

from typing import Any

import keras
from keras import ops

from keras_mlp.arguments import check_initializer, check_positive_int, clone_initializer
from keras_mlp.layers.composite import Composite
from keras_mlp.layers.dense import Dense
from keras_mlp.typing import Config, Initializer, Shape, Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class TinyAttention(Composite):
    """Self-attention with a single narrow head (Liu et al., arXiv:2105.08050, aMLP).

    Queries, keys and values come from one dense layer, in this order.

    Args:
        attention_dim: number of channels d of queries, keys and values.
        output_dim: number of output channels D.
        kernel_initializer: initializer of both kernels; biases start at 0.
        **kwargs: arguments of `keras.layers.Layer`.

    Shapes: (B, S, C) -> (B, S, D).

    Raises:
        ValueError: an argument is out of range.

    >>> tuple(TinyAttention(attention_dim=8, output_dim=32)(numpy.ones((2, 4, 16))).shape)
    (2, 4, 32)
    """

    def __init__(
        self,
        attention_dim: int,
        output_dim: int,
        kernel_initializer: Initializer = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.attention_dim = check_positive_int("attention_dim", attention_dim)
        self.output_dim = check_positive_int("output_dim", output_dim)
        self.kernel_initializer = check_initializer("kernel_initializer", kernel_initializer)

    def build(self, input_shape: Shape) -> None:
        self.qkv = self._dense(3 * self.attention_dim, "qkv")
        self.projection = self._dense(self.output_dim, "projection")
        self.qkv.build(input_shape)
        self.projection.build((*input_shape[:-1], self.attention_dim))
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        query, key, value = ops.split(self.qkv(inputs), 3, axis=-1)
        scores = ops.matmul(query * self.attention_dim**-0.5, ops.transpose(key, (0, 2, 1)))
        return self.projection(ops.matmul(ops.softmax(scores), value))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.output_dim)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "attention_dim": self.attention_dim,
            "output_dim": self.output_dim,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }

    def _dense(self, units: int, name: str) -> Dense:
        return Dense(
            units,
            # A clone: an unseeded initializer returns the same values each time it is called.
            kernel_initializer=clone_initializer(self.kernel_initializer),
            dtype=self.dtype_policy,
            name=name,
        )
