"""The embedded digits as arrays: what scikit-learn ships, cut into train and test."""

import numpy as np

from keras_mlp.typing import Array


def digit_arrays() -> dict[str, tuple[Array, Array, Array]]:
    """1,797 handwritten digits of 8 x 8 pixels; see `training.data.digits.Digits`.

    Returns:
        For "train" and "test", 80/20 of every class with a fixed seed: row numbers in
        scikit-learn's table (N,), uint8 images (N, 8, 8, 1) and int64 labels (N,).
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    # Ink is stored as 0 to 16.
    pixels = np.round(images.reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)
    train, test = train_test_split(
        np.arange(len(labels)), test_size=0.2, stratify=labels, random_state=0
    )
    return {
        split: (rows, pixels[rows], labels[rows].astype(np.int64))
        for split, rows in {"train": train, "test": test}.items()
    }
