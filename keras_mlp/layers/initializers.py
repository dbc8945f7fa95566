"""Initial values that Keras has no name for."""

import math

import keras


def torch_uniform(fan_in):
    """PyTorch's default for the kernel and for the bias of a linear or convolutional layer.

    Args:
        fan_in: number of inputs of one output: channels of its group, times the kernel's area.

    Returns:
        A Keras initializer, uniform in +-1 / sqrt(fan_in).
    """
    limit = 1.0 / math.sqrt(fan_in)
    return keras.initializers.RandomUniform(-limit, limit)


@keras.saving.register_keras_serializable("keras_mlp")
class GroupedOrthogonal(keras.initializers.Initializer):
    """Makes the kernels (G, inputs, outputs) of all groups one semi-orthogonal matrix.

    It is the matrix (G * outputs, inputs) that PyTorch's `orthogonal_` sees in the kernel of a
    1 x 1 convolution with groups.

    Args:
        seed: optional integer.
    """

    def __init__(self, seed=None):
        self.seed = seed

    def __call__(self, shape, dtype=None):
        groups, inputs, outputs = shape
        matrix = keras.initializers.Orthogonal(seed=self.seed)((groups * outputs, inputs), dtype)
        kernel = keras.ops.reshape(matrix, (groups, outputs, inputs))
        return keras.ops.transpose(kernel, (0, 2, 1))

    def get_config(self):
        return {"seed": self.seed}
