"""Images that quantization measures activation ranges on."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np

from keras_mlp.arguments import check_path, shown
from keras_mlp.errors import first_line
from keras_mlp.typing import Array

Images: TypeAlias = Array | str | os.PathLike[str]

MOST_IMAGES = 300
_PICTURES = (".jpg", ".jpeg", ".png")
_Items = TypeVar("_Items", Array, list[pathlib.Path])


def calibration_images_of(source: Images, shape: Sequence[int], dtype: str) -> Array:
    """Returns at most 300 images for calibration, spread evenly over those of a source.

    Args:
        source: array (N, *shape); or the path of a `.npy` file of one, or of a folder of JPEG and
            PNG files, subfolders included.
        shape: (H, W, channels).
        dtype: that of the model's input, "uint8" for pixels in [0, 255], or "float32".

    Returns:
        An array (N, *shape) of that dtype.

    Raises:
        ValueError: `source` holds no such images.
    """
    if not isinstance(source, (str, os.PathLike)):
        return spread(_checked(source, shape, dtype))
    path = check_path("calibration_images", source)
    if path.is_dir():
        return _pictures(path, shape, dtype)
    return spread(_checked(_stored(path), shape, dtype))


def spread(items: _Items) -> _Items:
    """Returns at most 300 items at even distances: the first ones may all be of one class."""
    return items[:: -(-len(items) // MOST_IMAGES)]


def _checked(images: Any, shape: Sequence[int], dtype: str) -> Array:
    found = images if isinstance(images, np.ndarray) else None
    if found is None or found.shape[1:] != tuple(shape) or not len(found) or found.dtype != dtype:
        what = shown(images) if found is None else f"{found.dtype} {found.shape}"
        sides = ", ".join(map(str, shape))
        raise ValueError(
            f"`calibration_images` must be a {dtype} array (N, {sides}) of what the model takes, "
            f"with at least one image, got {what}."
        )
    return found


def _stored(path: pathlib.Path) -> Array:
    if path.suffix != ".npy" or not path.is_file():
        raise ValueError(
            "`calibration_images` must be an array, or the path of a .npy file or of a folder of "
            f"pictures, got {path}."
        )
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(
            f"`calibration_images`={path} is not a file that `numpy.save` wrote: "
            f"{first_line(error)}"
        ) from error


def _pictures(folder: pathlib.Path, shape: Sequence[int], dtype: str) -> Array:
    if dtype != "uint8":
        raise ValueError(
            f"`calibration_images`={folder} is a folder of pictures, but the model takes "
            "normalised images. Write those, float32 (N, H, W, channels), to a .npy file."
        )
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in _PICTURES)
    if not files:
        raise ValueError(
            f"`calibration_images`={folder} holds no picture: no file in it ends in "
            f"{', '.join(_PICTURES)}."
        )
    return np.stack([_picture(file, shape) for file in spread(files)])


def _picture(file: pathlib.Path, shape: Sequence[int]) -> Array:
    import tensorflow as tf

    from keras_mlp.export.pictures import decoded

    height, width, channels = shape
    try:
        pixels = decoded(tf.constant([file.read_bytes()]), (height, width, channels), "bilinear")
    except tf.errors.InvalidArgumentError as error:
        raise ValueError(
            f"`calibration_images`: {file} cannot be decoded: {first_line(error)}"
        ) from error
    return pixels.numpy()[0]
