"""Layers with the defaults and initial values of PyTorch."""

import keras

from keras_mlp.layers.dense import Dense
from keras_mlp.layers.initializers import torch_uniform
from keras_mlp.typing import DTypePolicy


def torch_dense(
    inputs: int, units: int, dtype: DTypePolicy, name: str, activation: str | None = None
) -> Dense:
    """Returns a built dense layer with PyTorch's initial values."""
    dense = Dense(
        units,
        activation=activation,
        kernel_initializer=torch_uniform(inputs),
        bias_initializer=torch_uniform(inputs),
        dtype=dtype,
        name=name,
    )
    dense.build((None, inputs))
    return dense


def torch_batch_norm(
    dtype: DTypePolicy, name: str, axis: int = -1
) -> keras.layers.BatchNormalization:
    """Returns a BatchNorm with PyTorch's momentum and epsilon.

    Its moving variance averages the biased variances of batches; PyTorch's are unbiased.
    """
    return keras.layers.BatchNormalization(
        axis=axis, momentum=0.9, epsilon=1e-5, dtype=dtype, name=name
    )
