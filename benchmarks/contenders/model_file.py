"""A model in a `.keras` file, on TensorFlow or JAX."""

import types
from collections.abc import Callable
from typing import Any

import numpy as np


def forward(
    task: dict[str, Any], jit_compile: bool = False, dtype: str | None = None
) -> Callable[[], np.ndarray]:
    """The model as a `tf.function` that takes the batch as numpy; `dtype` as for `read_model`."""
    tensorflow_for(task)
    return compiled(read_model(task, dtype), task, jit_compile)


def compiled(
    model: Any, task: dict[str, Any], jit_compile: bool = False
) -> Callable[[], np.ndarray]:
    """Any Keras model as a `tf.function` that takes the batch as numpy."""
    import tensorflow as tf

    images = np.load(task["images"])

    @tf.function(jit_compile=jit_compile)
    def run(images: Any) -> Any:
        return tf.cast(model(images, training=False), tf.float32)

    return lambda: run(images).numpy()


def frozen(task: dict[str, Any], dtype: str | None = None) -> Callable[[], np.ndarray]:
    """The model through `keras_mlp.frozen_function`; `dtype` as for `read_model`.

    With several threads each computes a part of the batch.
    """
    images = np.load(task["images"])
    parts = min(task["threads"], len(images))
    tensorflow_for(task, parts)

    from keras_mlp import frozen_function

    run = frozen_function(read_model(task, dtype), parts=parts)
    return lambda: run(images).numpy()


def tensorflow_for(task: dict[str, Any], parts: int = 1) -> types.ModuleType:
    """TensorFlow with the task's number of threads: all in one operation, or one for each part."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1 if parts > 1 else task["threads"])
    tf.config.threading.set_inter_op_parallelism_threads(parts)
    return tf


def read_model(task: dict[str, Any], dtype: str | None = None) -> Any:
    """The Keras model of a task.

    Args:
        task: fields of a `benchmarks.task.Task`.
        dtype: policy to compute with, such as "mixed_bfloat16"; None for the file's.
    """
    import keras

    import keras_mlp  # noqa: F401, the file names its classes

    model = keras.models.load_model(task["model"], compile=False)
    if dtype is None:
        return model
    copy = type(model).from_config({**model.get_config(), "dtype": dtype})
    copy.set_weights(model.get_weights())
    return copy
