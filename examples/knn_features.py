"""Search by features: the five nearest images of the training set, with nothing trained.

python -m examples.knn_features --source saved_models/mixer_fashion_mnist/feature_vector

The source learned clothes and never saw a digit, so the plain pixels of these small, centred images
do better. It prints (TensorFlow 2.20.0, Keras 3.15.1; 2026-11-20):

    features  89.7%
    pixels    97.2%
"""

import argparse

import numpy as np
import tensorflow as tf

import keras_mlp
from examples.digit_images import digit_images

SOURCE = "saved_models/mixer_fashion_mnist/feature_vector"


def unit_vectors(call, images, batch_size=256):
    """Features of length 1, so that a product of two is their cosine: (N, ...) -> (N, C)."""
    starts = range(0, len(images), batch_size)
    features = np.concatenate([call(images[at : at + batch_size]) for at in starts])
    return features / np.linalg.norm(features, axis=-1, keepdims=True)


def nearest(queries, vectors, k=5):
    """Rows of the k most similar vectors, best first: (Q, C), (N, C) -> (Q, k)."""
    return np.argsort(-queries @ vectors.T, axis=-1, kind="stable")[:, :k]


def vote(labels):
    """The most frequent label of each row, the smallest of equals: (Q, k) -> (Q,)."""
    return np.array([np.bincount(row).argmax() for row in labels])


def main(arguments=None):
    """Prints how often the vote of five neighbours is right, by features and by plain pixels."""
    parser = argparse.ArgumentParser(prog="python -m examples.knn_features")
    parser.add_argument("--source", default=SOURCE, help=f"SavedModel of features ({SOURCE})")
    options = parser.parse_args(arguments)
    try:
        image_shape = keras_mlp.saved_model_info(options.source)["image_shape"]
    except ValueError as error:
        parser.error(str(error))
    train_images, test_images, train_labels, test_labels = digit_images(image_shape)
    loaded = tf.saved_model.load(options.source)

    def features(images):
        return loaded(tf.constant(images)).numpy()

    def pixels(images):
        return images.reshape(len(images), -1).astype("float32")

    for name, call in {"features": features, "pixels": pixels}.items():
        rows = nearest(unit_vectors(call, test_images), unit_vectors(call, train_images))
        accuracy = np.mean(vote(train_labels[rows]) == test_labels)
        print(f"{name:10}{accuracy:.1%}")


if __name__ == "__main__":
    main()
