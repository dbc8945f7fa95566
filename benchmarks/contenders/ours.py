"""keras_mlp on TensorFlow, in both forms of its dense layers, and in bfloat16."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.contenders.model_file import forward


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
