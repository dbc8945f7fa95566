"""Stochastic depth: residual branches dropped at random, per sample."""

from typing import Any

import keras
from keras import ops

from keras_mlp.arguments import check_rate
from keras_mlp.typing import Config, Shape, Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class StochasticDepth(keras.layers.Layer):
    """Zeroes the branch of random samples during training (Huang et al., arXiv:1603.09382).

    Kept samples are divided by the probability of keeping them, so that the expected output equals
    the input. At inference the layer is the identity.

    Args:
        rate: probability in [0, 1) of dropping a sample's branch.
        seed: seed of the random numbers; None for a random seed.
        **kwargs: arguments of `keras.layers.Layer`.

    Shapes: (B, ...) -> (B, ...).

    >>> tuple(StochasticDepth(0.5)(numpy.ones((2, 4, 3)), training=False).shape)
    (2, 4, 3)
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = check_rate("rate", rate)
        self.seed = seed
        if self.rate > 0:
            self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True
        self.built = True

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        if not training or self.rate == 0:
            return inputs
        keep = 1.0 - self.rate
        shape = (ops.shape(inputs)[0],) + (1,) * (len(inputs.shape) - 1)
        # Drawn in float32: uniform numbers in half precision are too coarse for small rates.
        kept = keras.random.uniform(shape, dtype="float32", seed=self.seed_generator) < keep
        return inputs * ops.cast(kept, inputs.dtype) / keep

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> Config:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


def linear_ramp(rate: float, num_layers: int) -> list[float]:
    """Returns drop rates that grow linearly with depth, from 0 to `rate` in the last block."""
    return [rate * i / max(1, num_layers - 1) for i in range(num_layers)]
