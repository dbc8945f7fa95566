"""keras_mlp's Mixer on TensorFlow, in both forms of its dense layers."""

from collections.abc import Callable
from typing import Any

import numpy as np


def flat(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """The default form without XLA: matrix products, fused with bias and GELU."""
    return _forward(task, jit_compile=False)


def all_axes_with_xla(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """Keras' own product over all axes, compiled by XLA."""
    from keras_mlp.layers import backend

    backend.prefers_flat_matmul = lambda: False
    return _forward(task, jit_compile=True)


def _forward(task: dict[str, Any], jit_compile: bool) -> Callable[[], np.ndarray]:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(task["threads"])
    tf.config.threading.set_inter_op_parallelism_threads(1)

    from keras_mlp import MLPMixer, load_checkpoint

    model = MLPMixer(**task["sizes"], include_preprocessing=False)
    load_checkpoint(model, task["weights"])
    images = np.load(task["images"])

    @tf.function(jit_compile=jit_compile)
    def forward(images: tf.Tensor) -> tf.Tensor:
        return model(images, training=False)

    return lambda: forward(images).numpy()
