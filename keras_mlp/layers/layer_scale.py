"""A learned factor per channel on a residual branch."""

import keras

from keras_mlp.arguments import check_positive


@keras.saving.register_keras_serializable("keras_mlp")
class LayerScale(keras.layers.Layer):
    """Multiplies every channel by its own learned factor (Touvron et al., arXiv:2103.17239).

    Behind a residual branch, with a small first value, it lets deep networks start near the
    identity.

    Args:
        init_value: of every factor, above 0.
        **kwargs: as for `keras.layers.Layer`.

    Shapes: (B, ..., C) -> (B, ..., C).

    Raises:
        ValueError: `init_value` is not a finite number above 0.

    >>> float(LayerScale(0.5)(numpy.ones((1, 1, 1)))[0, 0, 0])
    0.5
    """

    def __init__(self, init_value, **kwargs):
        super().__init__(**kwargs)
        self.init_value = check_positive("init_value", init_value)
        self.supports_masking = True

    def build(self, input_shape):
        self.gamma = self.add_weight(
            name="gamma",
            shape=(input_shape[-1],),
            initializer=keras.initializers.Constant(self.init_value),
        )
        self.built = True

    def call(self, inputs):
        return inputs * self.gamma

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "init_value": self.init_value}
