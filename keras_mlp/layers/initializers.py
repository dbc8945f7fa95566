"""Initializers that Keras does not have."""

import math

import keras

from keras_mlp.typing import Config, Tensor


def torch_uniform(fan_in: int) -> keras.initializers.Initializer:
    """PyTorch's default initializer for kernel and bias of linear and convolutional layers.

    Args:
        fan_in: number of inputs per output: channels of its group times the area of the kernel.

    Returns:
        A Keras initializer, uniform in +-1 / sqrt(fan_in).
    """
    limit = 1.0 / math.sqrt(fan_in)
    return keras.initializers.RandomUniform(-limit, limit)


@keras.saving.register_keras_serializable("keras_mlp")
class GroupedOrthogonal(keras.initializers.Initializer):
    """Initializes kernels (G, inputs, outputs) of all groups as one semi-orthogonal matrix.

    This is the matrix (G * outputs, inputs) that PyTorch's `orthogonal_` sees in the kernel of a
    grouped 1 x 1 convolution.

    Args:
        seed: seed of the random numbers; None for a random seed.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed

    def __call__(self, shape: tuple[int, int, int], dtype: str | None = None) -> Tensor:
        groups, inputs, outputs = shape
        matrix = keras.initializers.Orthogonal(seed=self.seed)((groups * outputs, inputs), dtype)
        kernel = keras.ops.reshape(matrix, (groups, outputs, inputs))
        return keras.ops.transpose(kernel, (0, 2, 1))

    def get_config(self) -> Config:
        return {"seed": self.seed}
