"""Layers with the constants and the initial values that PyTorch gives them."""

import keras

from keras_mlp.layers.dense import Dense
from keras_mlp.layers.initializers import torch_uniform


def torch_dense(inputs, units, dtype, name, activation=None):
    """A built dense layer with PyTorch's initial values."""
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


def torch_batch_norm(dtype, name, axis=-1):
    """A BatchNorm. Its moving variance is that of the batch itself; PyTorch's is unbiased."""
    return keras.layers.BatchNormalization(
        axis=axis, momentum=0.9, epsilon=1e-5, dtype=dtype, name=name
    )
