"""The two-layer perceptron over tokens, shared by all channels."""

import keras
from keras import ops

from keras_mlp.layers.mlp import MLP


@keras.saving.register_keras_serializable("keras_mlp")
class TokenMLP(MLP):
    """`MLP` along the token axis (Tolstikhin et al., arXiv:2105.01601).

    Its weights belong to one number of tokens S; every channel uses the same ones.

    Args: as for `MLP`; `hidden_dim` is D_S.

    Shapes: (B, S, C) -> (B, S, C).

    >>> tuple(TokenMLP(hidden_dim=32)(numpy.ones((2, 4, 8))).shape)
    (2, 4, 8)
    """

    def build(self, input_shape):
        batch, tokens, channels = input_shape
        super().build((batch, channels, tokens))

    def call(self, inputs, training=None):
        mixed = super().call(ops.transpose(inputs, (0, 2, 1)), training=training)
        return ops.transpose(mixed, (0, 2, 1))

    def compute_output_shape(self, input_shape):
        batch, tokens, channels = input_shape
        return (batch, self.output_dim or tokens, channels)
