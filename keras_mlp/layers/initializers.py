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
