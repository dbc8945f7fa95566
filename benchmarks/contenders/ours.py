"""keras_mlp on TensorFlow: both forms of its dense layers, constant weights, and bfloat16."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.contenders.model_file import forward, frozen


def flat(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """The default form without XLA: matrix products, fused with bias and GELU."""
    return forward(task)


def all_axes_with_xla(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """Keras' own product over all axes, compiled by XLA."""
    from keras_mlp.layers import backend

    backend.prefers_flat_matmul = lambda: False
    return forward(task, jit_compile=True)


def bfloat16(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """The default form with weights and activations in bfloat16."""
    return forward(task, dtype="bfloat16")


def constants(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """The default form with the weights as constants, by `keras_mlp.frozen_function`."""
    return frozen(task)


def bfloat16_constants(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """The same in bfloat16."""
    return frozen(task, dtype="bfloat16")
