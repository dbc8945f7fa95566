"""Golden outputs: images and what a model computes for them, stored next to the model."""

import os
import pathlib
from typing import Any

import numpy as np

from keras_mlp.typing import Array
from keras_mlp.whole_files import whole_file

GOLDEN_FILE = "golden.npz"
GOLDEN_IMAGES = 16  # of a run and of an artefact


def write_golden(folder: str | os.PathLike[str], images: Array, **outputs: Array) -> None:
    """Writes `golden.npz` into a folder.

    Args:
        folder: where the model is.
        images: uint8 (B, H, W, C).
        **outputs: what the model computes for them, by name, float32 (B, ...).
    """
    arrays: dict[str, Any] = {"images": images, **outputs}
    with whole_file(pathlib.Path(folder) / GOLDEN_FILE) as file:
        np.savez_compressed(file, **arrays)
