"""A training step of keras_mlp on JAX, in a process whose KERAS_BACKEND is jax."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.contenders.model_file import read_model
from benchmarks.contenders.training_ours import LABEL_SMOOTHING, LEARNING_RATE, WEIGHT_DECAY


def float32(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """The whole step through `jax.jit`, its state donated, as the engine on JAX trains."""
    import jax
    import keras

    model = read_model(task)
    loss_of = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=LABEL_SMOOTHING
    )
    optimizer = keras.optimizers.AdamW(LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    optimizer.build(model.trainable_variables)
    images, labels = np.load(task["images"]), np.load(task["labels"])

    def loss_and_state(weights: Any, fixed: Any, images: Any, labels: Any) -> tuple[Any, Any]:
        logits, fixed = model.stateless_call(weights, fixed, images, training=True)
        return loss_of(keras.ops.one_hot(labels, logits.shape[-1]), logits), fixed

    @functools.partial(jax.jit, donate_argnums=0)
    def step(state: Any, images: Any, labels: Any) -> tuple[Any, Any]:
        weights, fixed, slots = state
        gradient_of = jax.value_and_grad(loss_and_state, has_aux=True)
        (loss, fixed), gradients = gradient_of(weights, fixed, images, labels)
        weights, slots = optimizer.stateless_apply(slots, gradients, weights)
        return (weights, fixed, slots), loss

    variables = (model.trainable_variables, model.non_trainable_variables, optimizer.variables)
    state = [[variable.value for variable in each] for each in variables]

    def run() -> np.ndarray:
        nonlocal state
        state, loss = step(state, images, labels)
        return np.asarray(loss)

    return run
