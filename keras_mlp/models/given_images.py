"""What a model checks about the images that it is given: their shape and the range of pixels."""

import sys
import warnings
from typing import Any

import keras
import numpy as np

from keras_mlp.typing import Array, Shape

_FIRST = 4  # images: enough to see a range, and nothing next to a call of the model
_LARGEST_NORMALIZED = 10.0  # above what a normalised image contains, and far below 255


def check_shape(model: Any, images: Any) -> None:
    """Raises ValueError unless images, of any kind whose shape is known, fit the model.

    A size that is unknown while TensorFlow traces a graph passes; see `with_known_shape`.
    """
    if isinstance(images, (list, tuple, dict)) and not images:
        raise ValueError(f"{model.name} expected images, got {images!r}.")
    shape = _shape(images)
    if shape is None or _keras_adds_axis(model, shape):
        return
    if len(shape) != 4:
        raise ValueError(_misfit(model, shape))
    if shape[0] == 0:  # TensorFlow's convolutions return nonsense for it, and `predict` fails
        raise ValueError(f"{model.name} expected images, got a batch without any: {shape}.")
    symbolic = isinstance(images, keras.KerasTensor)
    for size, expected in zip(shape[1:], model.image_shape, strict=True):
        if size != expected and (size is not None or symbolic):
            raise ValueError(_misfit(model, shape))


def _shape(images: Any) -> Shape | None:
    """The shape of an array, a tensor, or the batches of a `tf.data.Dataset`."""
    if hasattr(images, "element_spec"):
        images = images.element_spec
        while isinstance(images, tuple) and images:
            images = images[0]
    shape = getattr(images, "shape", None)
    if shape is None or getattr(shape, "rank", 0) is None:  # TensorFlow's unknown rank
        return None
    return tuple(shape)


def _keras_adds_axis(model: Any, shape: Shape) -> bool:
    """Whether Keras makes images out of it: without an axis for one channel, or with another."""
    return (len(shape) == 3 and model.image_shape[-1] == 1) or (len(shape) == 5 and shape[-1] == 1)


def _misfit(model: Any, shape: Shape) -> str:
    height, width, channels = model.image_shape
    sizes = ["B" if size is None else str(size) for size in shape[:1]] + list(map(str, shape[1:]))
    found = f"({', '.join(sizes)})"
    way = (
        f"resize the images to {height} x {width}, or take the model at the other size: "
        "`model.at(image_shape)` shares the weights, and "
        "`keras_mlp.with_image_shape(model, image_shape)` keeps the weights"
    )
    if len(shape) != 4:
        way = "give a batch of images; `images[None]` makes one of a single image"
    elif None in shape[1:]:
        way = f"give the size, as in `keras.Input({model.image_shape})`"
    elif shape[-1] != channels:
        way = f"give images of {channels} channels, or build the model for {shape[-1]}"
    return (
        f"{model.name} expected images of shape (B, {height}, {width}, {channels}), got {found}. A "
        f"built model takes one image size: {way}."
    )


def with_known_shape(model: Any, images: Any) -> Any:
    """Images of a size that is unknown while TensorFlow traces a graph, checked when it runs."""
    shape = _shape(images)
    is_unknown = shape is not None and len(shape) == 4 and None in shape[1:]
    if not is_unknown or not keras.ops.is_tensor(images):
        return images
    # Only TensorFlow has tensors of unknown size.
    return sys.modules["tensorflow"].ensure_shape(images, (None, *model.image_shape))


def warn_about_range(model: Any, images: Any) -> bool | None:
    """Warns where a model that normalises pixels is given images that are not in [0, 255].

    Args:
        model: a `VisionModel`.
        images: anything; looked at if they are an array, or a tensor with a value, of floats.

    Returns:
        Whether it warned; None where the images do not show their range, as black ones and masks
        of 0 and 1, and where they are not looked at.
    """
    if not model.include_preprocessing or not _has_value(images):
        return None
    first: Array = np.asarray(images[:_FIRST], "float32")
    if first.size == 0:
        return None
    low, high = float(first.min()), float(first.max())
    if high > _LARGEST_NORMALIZED or not np.isfinite([low, high]).all():
        return False
    has_fractions = bool((first != np.round(first)).any())
    if low >= 0 and not (high <= 1 and has_fractions):
        return None
    warnings.warn(
        f"{model.name} expects pixels in [0, 255], which it normalises itself, and was given "
        f"images from {low:.3g} to {high:.3g}: its outputs are wrong. Multiply images in [0, 1] by "
        "255; for images that are normalised already, build the model with "
        "`include_preprocessing`=False.",
        stacklevel=4,
    )
    return True


def _has_value(images: Any) -> bool:
    """Whether it is an array of floats with at least one axis that Python can look into now."""
    is_array = isinstance(images, np.ndarray)
    if not is_array and (isinstance(images, keras.KerasTensor) or not keras.ops.is_tensor(images)):
        return False
    is_float = keras.backend.is_float_dtype(keras.backend.standardize_dtype(images.dtype))
    return is_float and len(images.shape) > 0 and (is_array or not _is_traced(images))


def _is_traced(tensor: Any) -> bool:
    if keras.backend.backend() == "jax":
        return isinstance(tensor, sys.modules["jax"].core.Tracer)
    return not hasattr(tensor, "numpy")
