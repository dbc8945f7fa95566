"""LayerNorm over tokens, which can also be called with another grid of tokens."""

from typing import Any

import keras

from keras_mlp.arguments import check_count
from keras_mlp.layers.layer_normalization import LayerNormalization
from keras_mlp.layers.token_grid import OUT, Grids, fit_tokens
from keras_mlp.typing import Config, Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class TokenNormalization(LayerNormalization):
    """`LayerNormalization` over a last axis that holds tokens.

    Called with `grids`, the factors and shifts, one per token, are interpolated in the graph.

    Args:
        front_tokens: number of tokens in front of the grid, such as a class token.
        **kwargs: arguments of `LayerNormalization`, but for `axis`.

    Call arguments:
        inputs: (B, C, S).
        grids: as for `TokenDense`.

    Shapes: (B, C, S) -> (B, C, S).

    >>> norm = TokenNormalization()
    >>> tuple(norm(numpy.ones((2, 8, 4))).shape)
    (2, 8, 4)
    >>> tuple(norm(numpy.ones((2, 8, 6)), grids=((2, 2), (2, 3))).shape)
    (2, 8, 6)
    """

    def __init__(self, front_tokens: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.front_tokens = check_count("front_tokens", front_tokens)

    def call(self, inputs: Tensor, grids: Grids | None = None) -> Tensor:
        if grids is None:
            return super().call(inputs)
        gamma, beta = (
            fit_tokens(each, (OUT,), grids, self.front_tokens) for each in (self.gamma, self.beta)
        )
        return self.normalized(inputs, gamma, beta)

    def get_config(self) -> Config:
        return {**super().get_config(), "front_tokens": self.front_tokens}
