"""What a reference implementation computed, and how far a model is from it."""

import dataclasses
import pathlib

import keras
import numpy as np

TOLERANCE = 2e-5  # of the largest difference, over the logits' deviation where that is above 1


class Disagreement(ValueError):
    """A model does not compute what the reference computed."""


@dataclasses.dataclass(frozen=True)
class Reference:
    """Inputs and outputs of a reference implementation.

    Attributes:
        images: (B, H, W, C).
        logits: (B, K).
        normalized: whether the images are normalised already; otherwise pixels in [0, 255].
    """

    images: np.ndarray
    logits: np.ndarray
    normalized: bool


def read_reference(path):
    """Reads a `.npz` with `images` (pixels in [0, 255]) and `logits`, or with `x` (images that are
    normalised already) and `y` (logits).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no such archive.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no reference file at {path}.")
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            for images, logits, normalized in (("images", "logits", False), ("x", "y", True)):
                if images in arrays and logits in arrays:
                    return Reference(arrays[images], arrays[logits], normalized)
            names = ", ".join(arrays) or "nothing"
    except Exception as error:  # damaged bytes raise whatever they happen to break
        raise ValueError(f"{path} cannot be read; it may be damaged: {error}") from error
    raise ValueError(f"{path} must hold `images` and `logits`, or `x` and `y`; it holds {names}.")


def difference(model, reference):
    """The largest absolute difference of a model's logits to the reference's.

    Raises:
        Disagreement: it is above `TOLERANCE` times the larger of 1 and the deviation of the
            reference's logits, or not finite.
        ValueError: the images or logits are of another shape than the model's.
    """
    for name, found, shape in (
        ("images", reference.images.shape, (None, *model.image_shape)),
        ("logits", reference.logits.shape, (len(reference.images), *model.output.shape[1:])),
    ):
        if len(found) != len(shape) or found[1:] != shape[1:] or shape[0] not in (None, found[0]):
            raise ValueError(f"The reference's {name} have shape {found}; the model's are {shape}.")
    if reference.normalized:
        model = keras.Model(model.get_layer("stem").input, model.output)
    logits = keras.ops.convert_to_numpy(model(reference.images, training=False))
    found = float(np.abs(logits - reference.logits).max())
    allowed = TOLERANCE * max(1.0, float(reference.logits.std()))
    if not found <= allowed:  # so that NaN fails too
        raise Disagreement(
            f"The logits differ from the reference's by {found:.1e}; {allowed:.1e} is allowed. "
            "Which GELU and which normalisation the weights want is an argument of the model."
        )
    return found
