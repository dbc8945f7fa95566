"""Stochastic depth: whole residual branches dropped at random, per sample."""

import keras
from keras import ops

from keras_mlp.arguments import check_rate


@keras.saving.register_keras_serializable("keras_mlp")
class StochasticDepth(keras.layers.Layer):
    """Zeroes the branch of randomly chosen samples while training (Huang et al., arXiv:1603.09382).

    Kept samples are divided by the probability of keeping them, so that the expected output is the
    input and inference is the identity.

    Args:
        rate: probability in [0, 1) of dropping a sample's branch.
        seed: optional integer.
        **kwargs: as for `keras.layers.Layer`.

    Shapes: (B, ...) -> (B, ...).

    >>> tuple(StochasticDepth(0.5)(numpy.ones((2, 4, 3)), training=False).shape)
    (2, 4, 3)
    """

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.rate = check_rate("rate", rate)
        self.seed = seed
        if self.rate > 0:
            self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True
        self.built = True

    def call(self, inputs, training=False):
        if not training or self.rate == 0:
            return inputs
        keep = 1.0 - self.rate
        shape = (ops.shape(inputs)[0],) + (1,) * (len(inputs.shape) - 1)
        # Drawn in float32: a half-precision uniform number is too coarse to meet small rates.
        kept = keras.random.uniform(shape, dtype="float32", seed=self.seed_generator) < keep
        return inputs * ops.cast(kept, inputs.dtype) / keep

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


def linear_ramp(rate, num_layers):
    """Drop rates that grow linearly with depth, from 0 in the first block to `rate` in the last."""
    return [rate * i / max(1, num_layers - 1) for i in range(num_layers)]
