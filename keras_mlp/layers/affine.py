"""A learned scale and shift per channel: ResMLP's stand-in for normalisation."""

import keras


@keras.saving.register_keras_serializable("keras_mlp")
class Affine(keras.layers.Layer):
    """`alpha * x + beta`, one pair of numbers per channel (Touvron et al., arXiv:2105.03404).

    It takes no statistics of its input, so unlike a normalisation it costs next to nothing and,
    after training, could be folded into the linear layer behind it.

    Args:
        **kwargs: as for `keras.layers.Layer`.

    Shapes: (B, ..., C) -> (B, ..., C).

    >>> tuple(Affine()(numpy.ones((2, 4, 8))).shape)
    (2, 4, 8)
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape):
        shape = (input_shape[-1],)
        self.alpha = self.add_weight(name="alpha", shape=shape, initializer="ones")
        self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros")
        self.built = True

    def call(self, inputs):
        return inputs * self.alpha + self.beta

    def compute_output_shape(self, input_shape):
        return input_shape
