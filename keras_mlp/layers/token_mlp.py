"""The two-layer MLP over tokens, shared by all channels."""

import keras
from keras import ops

from keras_mlp.layers.mlp import MLP
from keras_mlp.typing import Shape, Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class TokenMLP(MLP):
    """`MLP` along the token axis (Tolstikhin et al., arXiv:2105.01601).

    Its weights are made for a fixed number of tokens S and shared by all channels.

    Args:
        hidden_dim: number of hidden units, D_S in the paper.
        **kwargs: further arguments of `MLP`.

    Shapes: (B, S, C) -> (B, S, C).

    >>> tuple(TokenMLP(hidden_dim=32)(numpy.ones((2, 4, 8))).shape)
    (2, 4, 8)
    """

    def build(self, input_shape: Shape) -> None:
        batch, tokens, channels = input_shape
        super().build((batch, channels, tokens))

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        mixed = super().call(ops.transpose(inputs, (0, 2, 1)), training=training)
        return ops.transpose(mixed, (0, 2, 1))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, tokens, channels = input_shape
        return (batch, self.output_dim or tokens, channels)
