"""RepMLP inside a small ResNet: train on digits, fold, compare.

python -m examples.repmlp_resnet

It prints parameters (BatchNorm statistics included), test accuracy and time per image of the
trained and the deployed form, and the largest difference of their logits.
"""

import argparse
import statistics
import time
from collections.abc import Collection, Sequence

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import keras_mlp
from keras_mlp.typing import Array, Tensor


def repmlp_resnet(
    image_shape: tuple[int, int, int] = (8, 8, 1), num_classes: int = 10
) -> keras.Model:
    """A ResNet with one RepMLP bottleneck in each stage (Ding et al., arXiv:2105.01883).

    As in the paper, a block that halves the map is a plain bottleneck, and the 3 x 3 convolutions
    around a RepMLP divide the channels by r: 2 in the first stage and 4 in the next.

    Args:
        image_shape: (H, W, channels); H and W are multiples of 8. Pixels range from 0 to 16.
        num_classes: number of logits K.

    Returns:
        A functional Keras model, (B, H, W, channels) -> (B, K).
    """
    images = keras.Input(image_shape, name="images")
    x = layers.Rescaling(1 / 8, offset=-1)(images)
    x = conv_norm(x, 32, 3, "relu")
    x = bottleneck(x, 64)
    x = repmlp_bottleneck(x, 64, r=2)
    x = bottleneck(x, 128, strides=2)
    x = repmlp_bottleneck(x, 128, r=4)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(images, layers.Dense(num_classes)(x), name="repmlp_resnet")


def repmlp_bottleneck(x: Tensor, filters: int, r: int) -> Tensor:
    """1 x 1, 3 x 3, RepMLP, 3 x 3, 1 x 1, with a residual; RepMLP has filters / (4 r) channels.

    Partitions have 4 x 4 pixels: the 8 x 8 map has four, which the global perceptron connects.
    """
    y = conv_norm(x, filters // 4, 1, "relu")
    narrow = filters // 4 // r
    y = conv_norm(y, narrow, 3, "relu")
    y = keras_mlp.layers.RepMLP(narrow, partition_size=4, kernel_sizes=(1, 3), groups=2)(y)
    y = layers.ReLU()(y)
    y = conv_norm(y, filters // 4, 3, "relu")
    return residual(x, conv_norm(y, filters, 1))


def bottleneck(x: Tensor, filters: int, strides: int = 1) -> Tensor:
    """ResNet's own bottleneck: 1 x 1, 3 x 3, 1 x 1, with a residual."""
    y = conv_norm(x, filters // 4, 1, "relu")
    y = conv_norm(y, filters // 4, 3, "relu", strides)
    return residual(x, conv_norm(y, filters, 1), strides)


def residual(x: Tensor, y: Tensor, strides: int = 1) -> Tensor:
    if x.shape != y.shape:
        x = conv_norm(x, y.shape[-1], 1, strides=strides)
    return layers.ReLU()(layers.Add()([x, y]))


def conv_norm(
    x: Tensor, filters: int, kernel_size: int, activation: str | None = None, strides: int = 1
) -> Tensor:
    # The activation is a separate layer after the BatchNorm: `deploy` folds adjacent layers.
    x = layers.Conv2D(filters, kernel_size, strides, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
    return layers.Activation(activation)(x) if activation else x


def digits() -> tuple[Array, Array, Array, Array]:
    """The 8 x 8 digits of scikit-learn: (train images, test images, train labels, test labels)."""
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8, 1).astype("float32")
    return train_test_split(images, labels, test_size=0.2, stratify=labels, random_state=0)


def train(
    model: keras.Model, images: Array, labels: Array, epochs: int, batch_size: int = 64
) -> None:
    """Fits the model with AdamW and cosine decay to 0."""
    steps = epochs * -(-len(images) // batch_size)
    model.compile(
        keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(3e-3, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(images, labels, batch_size, epochs, verbose=2)


def microseconds(models: Collection[keras.Model], images: Array, rounds: int = 20) -> list[float]:
    """Median time per image of each model; they take turns, so that a slow moment affects all."""
    times: list[list[float]] = [[] for _ in models]
    for turn in range(rounds + 1):
        for model, own in zip(models, times, strict=True):
            start = time.perf_counter()
            model.predict_on_batch(images)
            if turn > 0:  # the first call compiles
                own.append(time.perf_counter() - start)
    return [1e6 * statistics.median(own) / len(images) for own in times]


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains, deploys, and prints both forms side by side."""
    parser = argparse.ArgumentParser(prog="python -m examples.repmlp_resnet")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.epochs < 1:
        parser.error(f"`epochs` must be at least 1, got {options.epochs}.")
    keras.utils.set_random_seed(options.seed)
    train_images, test_images, train_labels, test_labels = digits()

    trained = repmlp_resnet()
    train(trained, train_images, train_labels, options.epochs)
    deployed = keras_mlp.deploy(trained)

    models = {"trained": trained, "deployed": deployed}
    logits = [model.predict_on_batch(test_images) for model in models.values()]
    times = microseconds(models.values(), test_images)
    print(f"{'form':10}{'parameters':>12}{'test accuracy':>15}{'microseconds per image':>24}")
    for (form, model), output, each in zip(models.items(), logits, times, strict=True):
        accuracy = np.mean(output.argmax(-1) == test_labels)
        print(f"{form:10}{model.count_params():12,}{accuracy:15.2%}{each:24.0f}")
    print(f"largest difference of logits: {np.abs(logits[0] - logits[1]).max():.1e}")


if __name__ == "__main__":
    main()
