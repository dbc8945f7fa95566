"""gMLP's token mixing: one half of the channels gates the other."""

import keras
from keras import ops

from keras_mlp.arguments import check_positive
from keras_mlp.layers.dense import Dense


@keras.saving.register_keras_serializable("keras_mlp")
class SpatialGatingUnit(keras.layers.Layer):
    """Multiplies half of the channels by a linear map over tokens of the other half.

    The first F / 2 channels are values. The others make the gate: LayerNorm, then one linear map
    over tokens, shared by all channels, without activation (Liu et al., arXiv:2105.08050). Its
    kernel starts near 0 and its bias, one number per token, at 1: at first every gate is 1.

    Args:
        layer_norm_epsilon: of the LayerNorm of the gate.
        **kwargs: as for `keras.layers.Layer`.

    Call arguments:
        inputs: (B, S, F), F even.
        attention: optional, (B, S, F / 2), added to the gate before the product (aMLP).

    Shapes: (B, S, F) -> (B, S, F / 2).

    Raises:
        ValueError: F is odd, or `layer_norm_epsilon` is not a finite number above 0.

    >>> tuple(SpatialGatingUnit()(numpy.ones((2, 4, 16))).shape)
    (2, 4, 8)
    """

    def __init__(self, layer_norm_epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        self.layer_norm_epsilon = check_positive("layer_norm_epsilon", layer_norm_epsilon)

    def build(self, inputs_shape, attention_shape=None):
        batch, tokens, channels = inputs_shape
        if channels % 2:
            raise ValueError(f"Inputs must have an even number of channels, got {inputs_shape}.")
        self.norm = keras.layers.LayerNormalization(
            epsilon=self.layer_norm_epsilon, dtype=self.dtype_policy, name="norm"
        )
        self.token_linear = Dense(
            tokens,
            kernel_initializer=keras.initializers.RandomNormal(stddev=1e-6),
            bias_initializer="ones",
            dtype=self.dtype_policy,
            name="token_linear",
        )
        self.norm.build((batch, tokens, channels // 2))
        self.token_linear.build((batch, channels // 2, tokens))
        self.built = True

    def call(self, inputs, attention=None):
        values, gate = ops.split(inputs, 2, axis=-1)
        gate = ops.transpose(self.norm(gate), (0, 2, 1))
        gate = ops.transpose(self.token_linear(gate), (0, 2, 1))
        return values * (gate if attention is None else gate + attention)

    def compute_output_shape(self, inputs_shape, attention_shape=None):
        return (*inputs_shape[:-1], inputs_shape[-1] // 2)

    def get_config(self):
        return {**super().get_config(), "layer_norm_epsilon": self.layer_norm_epsilon}
