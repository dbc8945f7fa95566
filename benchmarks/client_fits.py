"""The ways to train a SavedModel under Keras 3, each as its users write it.

Every function trains a zero-initialised linear classifier on the outputs of a SavedModel of
features with Adam, and the SavedModel too if `trainable`. It returns the logits of the test images.
"""

import pathlib

import keras
import numpy as np
import tensorflow as tf

import keras_mlp
from benchmarks.client_lesson import Lesson
from keras_mlp.typing import Array

_LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def gradient_tape(
    folder: str | pathlib.Path, trainable: bool, lesson: Lesson, rate: float
) -> Array:
    """`tf.saved_model.load` and a hand-written loop."""
    loaded = tf.saved_model.load(str(folder))
    width = loaded(lesson.images[:1]).shape[-1]
    kernel = tf.Variable(tf.zeros((width, lesson.classes)))
    bias = tf.Variable(tf.zeros(lesson.classes))
    weights = [kernel, bias, *(loaded.trainable_variables if trainable else ())]
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(weights)

    @tf.function
    def step(images: tf.Tensor, labels: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            features = loaded(images, training=trainable)
            loss = _LOSS(labels, features @ kernel + bias)
            if trainable:
                loss += sum(penalty() for penalty in loaded.regularization_losses)
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))

    for start in range(0, len(lesson.images), lesson.batch):
        here = slice(start, start + lesson.batch)
        step(tf.constant(lesson.images[here]), tf.constant(lesson.labels[here]))
    return np.array(loaded(lesson.test_images) @ kernel + bias)


def saved_model_layer(
    folder: str | pathlib.Path, trainable: bool, lesson: Lesson, rate: float
) -> Array:
    """`keras_mlp.SavedModelLayer` in `fit`."""
    layer = keras_mlp.SavedModelLayer(folder, trainable=trainable)
    return _fitted(layer, lesson, keras.optimizers.Adam(rate))


def tfsm_layer(folder: str | pathlib.Path, trainable: bool, lesson: Lesson, rate: float) -> Array:
    """Keras' own `TFSMLayer` in `fit`, with the optimizer built beforehand."""
    layer = keras.layers.TFSMLayer(
        str(folder), call_endpoint="serve", call_training_endpoint="train" if trainable else "serve"
    )
    layer.trainable = trainable
    return _fitted(layer, lesson, keras.optimizers.Adam(rate), build_first=True)


def _fitted(
    layer: keras.Layer,
    lesson: Lesson,
    optimizer: keras.optimizers.Optimizer,
    build_first: bool = False,
) -> Array:
    pixels = keras.Input(lesson.images.shape[1:], dtype="uint8")
    head = keras.layers.Dense(lesson.classes, kernel_initializer="zeros")
    model = keras.Sequential([pixels, layer, head])
    if build_first:
        # Otherwise Adam makes the invalid name "...:0_momentum"; see docs/clients.md.
        optimizer.build(model.trainable_variables)
    model.compile(optimizer, _LOSS)
    model.fit(lesson.images, lesson.labels, lesson.batch, shuffle=False, verbose=0)
    return model.predict(lesson.test_images, verbose=0)


CLIENTS = {
    "tf.saved_model.load, GradientTape": gradient_tape,
    "keras_mlp.SavedModelLayer, fit": saved_model_layer,
    "keras.layers.TFSMLayer, fit": tfsm_layer,
}
