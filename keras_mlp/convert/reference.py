"""Outputs of a reference implementation, and how far those of a model differ."""

import dataclasses
import os

import keras
import numpy as np

from keras_mlp.arguments import check_path
from keras_mlp.models import VisionModel
from keras_mlp.models.base import logits_model
from keras_mlp.typing import Array
from keras_mlp.weights.tensor_files import read_npz

TOLERANCE = 2e-5  # largest allowed difference, relative to the logits' deviation if that is above 1


class Disagreement(ValueError):
    """A model's logits differ from the reference's."""


@dataclasses.dataclass(frozen=True)
class Reference:
    """Inputs and outputs of a reference implementation.

    Attributes:
        images: (B, H, W, C).
        logits: (B, K).
        normalized: whether the images are already normalised, or pixels in [0, 255].
    """

    images: Array
    logits: Array
    normalized: bool


def read_reference(path: str | os.PathLike[str]) -> Reference:
    """Reads images and logits from a `.npz` file.

    Args:
        path: file with `images` (pixels in [0, 255]) and `logits`, or with `x` (images that are
            already normalised) and `y` (logits).

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file cannot be read, or does not hold these arrays.
    """
    path = check_path("reference", path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no reference file at {path}.")
    try:
        arrays = read_npz(path)
    except Exception as error:  # damaged bytes raise whatever they happen to break
        raise ValueError(f"{path} cannot be read; it may be damaged: {error}") from error
    for images, logits, normalized in (("images", "logits", False), ("x", "y", True)):
        if images in arrays and logits in arrays:
            return Reference(arrays[images], arrays[logits], normalized)
    names = ", ".join(arrays) or "nothing"
    raise ValueError(f"{path} must hold `images` and `logits`, or `x` and `y`; it holds {names}.")


def difference(model: VisionModel, reference: Reference) -> float:
    """Returns the largest absolute difference between a model's logits and the reference's.

    Raises:
        Disagreement: the difference exceeds `TOLERANCE` times the larger of 1 and the standard
            deviation of the reference's logits, or is not finite.
        ValueError: the shape of the images or logits differs from the model's.
    """
    for name, found, shape in (
        ("images", reference.images.shape, (None, *model.image_shape)),
        ("logits", reference.logits.shape, (len(reference.images), *model.output.shape[1:])),
    ):
        if len(found) != len(shape) or found[1:] != shape[1:] or shape[0] not in (None, found[0]):
            raise ValueError(f"The reference's {name} have shape {found}; the model's are {shape}.")
    if reference.normalized:
        model = keras.Model(model.get_layer("stem").input, model.logits)
    else:
        model = logits_model(model)
    logits = keras.ops.convert_to_numpy(model(reference.images, training=False))
    found = float(np.abs(logits - reference.logits).max())
    allowed = TOLERANCE * max(1.0, float(reference.logits.std()))
    if not found <= allowed:  # so that NaN fails too
        raise Disagreement(
            f"The logits differ from the reference's by {found:.1e}; {allowed:.1e} is allowed. "
            "Check the model's arguments for GELU and normalisation."
        )
    return found
