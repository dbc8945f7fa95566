"""Whether a loaded SavedModel learns: one training step must move its weights."""

from typing import Any

import numpy as np
import tensorflow as tf

from keras_mlp import ARCHITECTURES
from keras_mlp.typing import Array

_LEARNING_RATE = 0.1


def unmoved(architecture: str) -> tuple[tuple[str, ...], str | None]:
    """The weights of an architecture that a training step need not move: their gradient is zero.

    Args:
        architecture: name of its class.

    Returns:
        (the endings of their names, the reason); an empty tuple and None if every weight must move.
    """
    ends, reason = ARCHITECTURES[architecture].zero_gradient
    return ends, reason or None


def learning_problems(name: str, loaded: Any, images: Array, architecture: str) -> list[str]:
    """Takes one step of gradient descent and reports the weights that did not move.

    The loss is the mean square of the outputs plus the regularization losses: it needs no labels
    and depends on every output. The variables of `loaded` keep their new values.

    Args:
        name: the SavedModel's name, for the sentences.
        loaded: what `tf.saved_model.load` returned.
        images: uint8 (B, H, W, C).
        architecture: name of the model's class; see `unmoved`.

    Returns:
        A list of sentences, one for each weight that should have moved.
    """
    weights = list(loaded.trainable_variables)
    before = [weight.numpy() for weight in weights]
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(loaded(tf.constant(images), training=True) ** 2)
        loss = tf.add_n([loss, *(each() for each in loaded.regularization_losses)])
    if not np.isfinite(loss):
        return [f"{name}: the loss of a training step is {loss:.3g}."]
    for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True):
        if gradient is not None:
            weight.assign_sub(_LEARNING_RATE * tf.convert_to_tensor(gradient))
    ends, _ = unmoved(architecture)
    return [
        f"{name}: a training step does not move {weight.name}."
        for weight, old in zip(weights, before, strict=True)
        if np.array_equal(weight.numpy(), old) and not weight.name.split(":")[0].endswith(ends)
    ]
