"""Classifies by the features of the five nearest training images, without any training.

python -m examples.knn_features --source saved_models/mixer_fashion_mnist/feature_vector

It prints the accuracy with features and with plain pixels. The source was trained on clothes and
never saw a digit, so the plain pixels of these small, centred images do better.
"""

import argparse
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

import keras_mlp
from examples.digit_images import digit_images
from keras_mlp.typing import Array

SOURCE = "saved_models/mixer_fashion_mnist/feature_vector"


def unit_vectors(call: Callable[[Array], Array], images: Array, batch_size: int = 256) -> Array:
    """Features of unit length, whose products are cosines: (N, ...) -> (N, C)."""
    starts = range(0, len(images), batch_size)
    features = np.concatenate([call(images[at : at + batch_size]) for at in starts])
    return features / np.linalg.norm(features, axis=-1, keepdims=True)


def nearest(queries: Array, vectors: Array, k: int = 5) -> Array:
    """Rows of the k most similar vectors, best first: (Q, C), (N, C) -> (Q, k)."""
    return np.argsort(-queries @ vectors.T, axis=-1, kind="stable")[:, :k]


def vote(labels: Array) -> Array:
    """The most frequent label of each row, the smallest of equals: (Q, k) -> (Q,)."""
    return np.array([np.bincount(row).argmax() for row in labels])


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the accuracy of a vote of five neighbours, by features and by plain pixels."""
    parser = argparse.ArgumentParser(prog="python -m examples.knn_features")
    parser.add_argument("--source", default=SOURCE, help=f"SavedModel of features ({SOURCE})")
    options = parser.parse_args(arguments)
    try:
        image_shape = keras_mlp.saved_model_info(options.source)["image_shape"]
    except ValueError as error:
        parser.error(str(error))
    train_images, test_images, train_labels, test_labels = digit_images(image_shape)
    loaded = tf.saved_model.load(options.source)

    def features(images: Array) -> Array:
        return loaded(tf.constant(images)).numpy()

    def pixels(images: Array) -> Array:
        return images.reshape(len(images), -1).astype("float32")

    for name, call in {"features": features, "pixels": pixels}.items():
        rows = nearest(unit_vectors(call, test_images), unit_vectors(call, train_images))
        accuracy = np.mean(vote(train_labels[rows]) == test_labels)
        print(f"{name:10}{accuracy:.1%}")


if __name__ == "__main__":
    main()
