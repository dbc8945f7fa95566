"""A SavedModel as a layer of a Keras model, frozen and fine-tuned.

python -m examples.keras_layer --source saved_models/mixer_fashion_mnist/feature_vector

The source was trained on clothes; here it learns digits from ten images of each. It prints the test
accuracy of both.
"""

import argparse
from collections.abc import Sequence

import keras
import numpy as np

import keras_mlp
from examples.digit_images import digit_images

SOURCE = "saved_models/mixer_fashion_mnist/feature_vector"


def classifier(source: str, image_shape: Sequence[int], trainable: bool) -> keras.Model:
    """A SavedModel followed by a linear classifier for ten classes.

    Args:
        source: folder of a SavedModel of features.
        image_shape: its input shape (H, W, channels).
        trainable: whether to train the SavedModel too.

    Returns:
        A compiled Keras model, uint8 pixels (B, H, W, channels) -> logits (B, 10).
    """
    # uint8: otherwise Keras casts pixels to floats, which the SavedModel expects in [0, 1].
    pixels = keras.Input(image_shape, dtype="uint8")
    features = keras_mlp.SavedModelLayer(source, trainable=trainable)(pixels)
    logits = keras.layers.Dense(10, kernel_initializer="zeros")(features)
    model = keras.Model(pixels, logits)
    model.compile(
        keras.optimizers.Adam(1e-3 if trainable else 1e-2),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains both ways and prints the test accuracy of each."""
    parser = argparse.ArgumentParser(prog="python -m examples.keras_layer")
    parser.add_argument("--source", default=SOURCE, help=f"SavedModel of features ({SOURCE})")
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args(arguments)
    try:
        image_shape = keras_mlp.saved_model_info(options.source)["image_shape"]
    except ValueError as error:
        parser.error(str(error))
    train_images, test_images, train_labels, test_labels = digit_images(image_shape)
    few = np.concatenate([np.flatnonzero(train_labels == digit)[:10] for digit in range(10)])
    for way, trainable in {"frozen": False, "fine-tuned": True}.items():
        keras.utils.set_random_seed(0)
        model = classifier(options.source, image_shape, trainable)
        model.fit(train_images[few], train_labels[few], 20, options.epochs, verbose=0)
        accuracy = model.evaluate(test_images, test_labels, verbose=0, return_dict=True)["accuracy"]
        print(f"{way:12}{accuracy:.1%}")


if __name__ == "__main__":
    main()
