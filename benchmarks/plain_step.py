"""A training step written by hand on TensorFlow: forward pass, gradient and AdamW, nothing else."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


def plain_step(
    model: keras.Model, optimizer: keras.optimizers.Optimizer, loss_of: Callable[[Any, Any], Any]
) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """A `tf.function` that makes one step.

    Args:
        model: what trains.
        optimizer: an optimizer; it is built.
        loss_of: function of labels and outputs.

    Returns:
        A function of images and labels that returns the loss before the step.
    """
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model(images, training=True))
        weights = model.trainable_variables
        gradients = tape.gradient(loss, [weight.value for weight in weights])
        optimizer.apply(gradients, weights)
        return loss

    return step
