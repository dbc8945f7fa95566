"""A training step of keras_mlp on TensorFlow, with the optimizer of the training programs."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.contenders.model_file import read_model, tensorflow_for

LEARNING_RATE, WEIGHT_DECAY, LABEL_SMOOTHING = 1e-4, 0.05, 0.1  # timm's side has the same


def float32(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """In float32."""
    return _step(task, None, compiles_parts=False)


def bfloat16(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """In bfloat16 with weights in float32, as `runtime.dtype="mixed_bfloat16"` trains."""
    return _step(task, "mixed_bfloat16", compiles_parts=False)


def float32_compiled_gelu(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """In float32 as `runtime.compile_gelu=True` trains."""
    return _step(task, None, compiles_parts=True)


def bfloat16_compiled_gelu(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """In bfloat16 as `runtime.compile_gelu=True` trains."""
    return _step(task, "mixed_bfloat16", compiles_parts=True)


def _step(
    task: dict[str, Any], dtype: str | None, compiles_parts: bool
) -> Callable[[], np.ndarray]:
    tf = tensorflow_for(task)

    import keras

    from benchmarks.plain_step import plain_step
    from training.engine.tensorflow.adamw import AdamW
    from training.engine.tensorflow.step_forms import step_forms

    model = read_model(task, dtype)
    loss_of = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=LABEL_SMOOTHING
    )
    optimizer = AdamW(LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    step = plain_step(
        model,
        optimizer,
        lambda labels, logits: loss_of(
            tf.one_hot(labels, logits.shape[-1]), tf.cast(logits, tf.float32)
        ),
    )
    images, labels = tf.constant(np.load(task["images"])), tf.constant(np.load(task["labels"]))

    def run() -> np.ndarray:
        with step_forms(compiles_parts):  # the first call traces
            return step(images, labels).numpy()

    return run
