"""A model in a `.keras` file, on TensorFlow."""

from collections.abc import Callable
from typing import Any

import numpy as np


def forward(task: dict[str, Any], jit_compile: bool = False) -> Callable[[], np.ndarray]:
    """The model as a `tf.function` that takes the batch as numpy."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(task["threads"])
    tf.config.threading.set_inter_op_parallelism_threads(1)

    import keras

    import keras_mlp  # noqa: F401, the file names its classes

    model = keras.models.load_model(task["model"], compile=False)
    images = np.load(task["images"])

    @tf.function(jit_compile=jit_compile)
    def run(images: tf.Tensor) -> tf.Tensor:
        return model(images, training=False)

    return lambda: run(images).numpy()
