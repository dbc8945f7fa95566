"""The two-layer MLP over tokens, shared by all channels."""

from typing import Any

import keras
from keras import ops

from keras_mlp.arguments import check_count
from keras_mlp.layers.mlp import MLP
from keras_mlp.layers.token_dense import TokenDense
from keras_mlp.layers.token_grid import HIDDEN, IN, OUT, Grids
from keras_mlp.typing import Config, Shape, Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class TokensLastMLP(MLP):
    """`MLP` over a last axis that holds tokens; it can be called with another grid of tokens.

    Args:
        hidden_dim: number of hidden units.
        front_tokens: number of tokens in front of the grid, such as a class token.
        **kwargs: further arguments of `MLP`.

    Call arguments:
        inputs: (B, C, S).
        training: whether to drop units.
        grids: as for `TokenDense`.

    Shapes: (B, C, S) -> (B, C, S).

    >>> mlp = TokensLastMLP(hidden_dim=32)
    >>> tuple(mlp(numpy.ones((2, 8, 4))).shape)
    (2, 8, 4)
    >>> tuple(mlp(numpy.ones((2, 8, 6)), grids=((2, 2), (2, 3))).shape)
    (2, 8, 6)
    """

    def __init__(self, hidden_dim: int, front_tokens: int = 0, **kwargs: Any) -> None:
        super().__init__(hidden_dim, **kwargs)
        self.front_tokens = check_count("front_tokens", front_tokens)

    def call(
        self, inputs: Tensor, training: bool | None = None, grids: Grids | None = None
    ) -> Tensor:
        hidden = self.dropout1(self.fc1(inputs, grids=grids), training=training)
        return self.dropout2(self.fc2(hidden, grids=grids), training=training)

    def get_config(self) -> Config:
        return {**super().get_config(), "front_tokens": self.front_tokens}

    def _new_dense(self, name: str, **arguments: Any) -> TokenDense:
        last = OUT if self.output_dim is None else HIDDEN
        roles = (IN, HIDDEN) if name == "fc1" else (HIDDEN, last)
        return TokenDense(
            input_role=roles[0],
            output_role=roles[1],
            front_tokens=self.front_tokens,
            name=name,
            **arguments,
        )


@keras.saving.register_keras_serializable("keras_mlp")
class TokenMLP(TokensLastMLP):
    """`MLP` along the token axis (Tolstikhin et al., arXiv:2105.01601).

    Its weights are made for a fixed number of tokens S and shared by all channels. Called with
    `grids`, they are resized in the graph to another grid.

    Args:
        hidden_dim: number of hidden units, D_S in the paper.
        **kwargs: further arguments of `TokensLastMLP`.

    Shapes: (B, S, C) -> (B, S, C).

    >>> tuple(TokenMLP(hidden_dim=32)(numpy.ones((2, 4, 8))).shape)
    (2, 4, 8)
    """

    def build(self, input_shape: Shape) -> None:
        batch, tokens, channels = input_shape
        super().build((batch, channels, tokens))

    def call(
        self, inputs: Tensor, training: bool | None = None, grids: Grids | None = None
    ) -> Tensor:
        mixed = super().call(ops.transpose(inputs, (0, 2, 1)), training=training, grids=grids)
        return ops.transpose(mixed, (0, 2, 1))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, tokens, channels = input_shape
        return (batch, self.output_dim or tokens, channels)
