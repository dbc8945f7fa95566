"""The token mixing of gMLP: one half of the channels gates the other."""

from typing import Any

import keras
from keras import ops

from keras_mlp.arguments import check_positive
from keras_mlp.layers.composite import Composite
from keras_mlp.layers.known_axis import known_axis
from keras_mlp.layers.layer_normalization import LayerNormalization
from keras_mlp.layers.token_dense import TokenDense
from keras_mlp.layers.token_grid import Grids
from keras_mlp.typing import Config, Shape, Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class SpatialGatingUnit(Composite):
    """Multiplies half of the channels by a gate computed from the other half.

    The first F / 2 channels are the values. The others form the gate: LayerNorm, then one linear
    map over tokens, shared by all channels and without activation (Liu et al., arXiv:2105.08050).
    Its kernel starts near 0 and its bias, one per token, at 1, so that every gate starts at 1.

    Args:
        layer_norm_epsilon: epsilon of the gate's LayerNorm, above 0.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: (B, S, F), F even.
        attention: optional (B, S, F / 2), added to the gate before the product (aMLP).
        grids: as for `TokenDense`.

    Shapes: (B, S, F) -> (B, S, F / 2).

    Raises:
        ValueError: F is odd, or `layer_norm_epsilon` is not a finite number above 0.

    >>> tuple(SpatialGatingUnit()(numpy.ones((2, 4, 16))).shape)
    (2, 4, 8)
    """

    def __init__(self, layer_norm_epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.layer_norm_epsilon = check_positive("layer_norm_epsilon", layer_norm_epsilon)

    def build(self, inputs_shape: Shape, attention_shape: Shape | None = None) -> None:
        batch, tokens, _ = inputs_shape
        channels = known_axis(inputs_shape, -1)
        if channels % 2:
            raise ValueError(f"Inputs must have an even number of channels, got {inputs_shape}.")
        self.norm = LayerNormalization(
            epsilon=self.layer_norm_epsilon, dtype=self.dtype_policy, name="norm"
        )
        self.token_linear = TokenDense(
            tokens,
            kernel_initializer=keras.initializers.RandomNormal(stddev=1e-6),
            bias_initializer="ones",
            dtype=self.dtype_policy,
            name="token_linear",
        )
        self.norm.build((batch, tokens, channels // 2))
        self.token_linear.build((batch, channels // 2, tokens))
        self.built = True

    def call(
        self, inputs: Tensor, attention: Tensor | None = None, grids: Grids | None = None
    ) -> Tensor:
        values, gate = ops.split(inputs, 2, axis=-1)
        gate = ops.transpose(self.norm(gate), (0, 2, 1))
        gate = ops.transpose(self.token_linear(gate, grids=grids), (0, 2, 1))
        return values * (gate if attention is None else gate + attention)

    def compute_output_shape(
        self, inputs_shape: Shape, attention_shape: Shape | None = None
    ) -> Shape:
        return (*inputs_shape[:-1], known_axis(inputs_shape, -1) // 2)

    def get_config(self) -> Config:
        return {**super().get_config(), "layer_norm_epsilon": self.layer_norm_epsilon}
