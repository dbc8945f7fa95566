"""The digits of scikit-learn as images of any size, which the examples use as their data.

python -m examples.digit_images FOLDER

writes 200 of them, as FOLDER/DIGIT/*.png of 32 x 32 grey pixels: a folder of pictures to try things
with.
"""

import argparse
import pathlib
from collections.abc import Sequence

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from keras_mlp.typing import Array


def digit_images(image_shape: Sequence[int]) -> tuple[Array, Array, Array, Array]:
    """Real handwritten digits: 1,437 training and 360 test images.

    Args:
        image_shape: (H, W, channels) to resize the 8 x 8 images to, with equal channels.

    Returns:
        (train images, test images, train labels, test labels); images are uint8 (N, H, W,
        channels) in [0, 255], labels int64 (N,) from 0 to 9.
    """
    *size, channels = image_shape
    ink, labels = load_digits(return_X_y=True)
    images = ink.reshape(-1, 8, 8, 1).astype("float32") * (255 / 16)
    images = np.asarray(keras.ops.image.resize(images, size, data_format="channels_last"))
    pixels = np.repeat(images.round().clip(0, 255).astype("uint8"), channels, axis=-1)
    return train_test_split(pixels, labels, test_size=0.2, stratify=labels, random_state=0)


def write_digits(folder: pathlib.Path, per_class: int = 20) -> pathlib.Path:
    """Writes some digits as PNG files, in one subfolder per class; returns `folder`."""
    images, _, labels, _ = digit_images((32, 32, 1))
    for digit in range(10):
        (folder / str(digit)).mkdir(parents=True)
        for at, image in enumerate(images[labels == digit][:per_class]):
            keras.utils.save_img(folder / str(digit) / f"{at}.png", image, scale=False)
    return folder


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the folder."""
    parser = argparse.ArgumentParser(prog="python -m examples.digit_images")
    parser.add_argument("folder", type=pathlib.Path, help="a new folder")
    folder = parser.parse_args(arguments).folder
    if folder.exists():
        parser.error(f"`folder` must be new, and there is something at {folder}.")
    print(write_digits(folder))


if __name__ == "__main__":
    main()
