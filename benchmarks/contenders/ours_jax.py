"""keras_mlp on JAX, in a process whose KERAS_BACKEND is jax."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.contenders.model_file import read_model


def float32(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """The model through `jax.jit`. XLA takes as many threads as the process has CPUs."""
    import jax

    model = read_model(task)
    weights = tuple(
        [variable.value for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    )
    images = np.load(task["images"])

    @jax.jit
    def run(weights: Any, images: Any) -> Any:
        return model.stateless_call(*weights, images, training=False)[0]

    return lambda: np.asarray(run(weights, images))
