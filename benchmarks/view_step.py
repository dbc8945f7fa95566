"""The memory of a training step through a view, or with stored weights, as a line of JSON."""

import json
import sys
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import keras_mlp
from benchmarks.training_step import resident
from keras_mlp.typing import Array

KINDS = ("view", "stored")


def main() -> None:
    print(json.dumps(measure(**json.loads(sys.argv[1]))))


def measure(kind: str, architecture: str, variant: str, side: int, batch: int) -> dict[str, Any]:
    """Trains for two steps.

    Args:
        kind: "view", a view of a model of the variant's size; or "stored", a model of the new size.
        architecture, variant: of the model.
        side: height and width of the images in pixels.
        batch: number of images.

    Returns:
        A dict: "peak", the peak of resident memory, and "start", resident memory before the first
        step, in MiB; the "loss" of the second step, which is the same for both kinds.
    """
    model = model_of(kind, architecture, variant, side)
    step = step_of(model, some_images(batch, side))
    start = resident("VmRSS")
    step()  # traces too
    return {"start": start, "loss": float(step()), "peak": resident("VmHWM")}


def model_of(kind: str, architecture: str, variant: str, side: int) -> keras.Model:
    """A model at a size, whose seeded weights give the same outputs for both kinds."""
    keras.utils.set_random_seed(0)
    model = keras_mlp.ARCHITECTURES[architecture].from_variant(variant, num_classes=10)
    shape = (side, side, 3)
    return model.at(shape) if kind == "view" else keras_mlp.with_image_shape(model, shape)


def some_images(batch: int, side: int) -> Array:
    return np.random.default_rng(0).integers(0, 256, (batch, side, side, 3)).astype("uint8")


def step_of(model: keras.Model, images: Array) -> Callable[[], Array]:
    """A compiled training step of plain gradient descent, which returns the loss."""
    labels = tf.constant(np.arange(len(images)) % 10)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.SGD(1e-3)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(images: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model(images, training=True))
        weights = [weight.value for weight in model.trainable_variables]
        optimizer.apply(tape.gradient(loss, weights), model.trainable_variables)
        return loss

    pixels = tf.constant(images)
    return lambda: step(pixels).numpy()


if __name__ == "__main__":
    main()
