"""The image shape of the model in a file."""

import math
from typing import Any

import keras

from keras_mlp.arguments import check_image_shape, check_pair
from keras_mlp.layers.token_grid import HIDDEN, IN, OUT
from keras_mlp.models import VisionModel
from keras_mlp.models.token_mixing import POSITION
from keras_mlp.weights.checkpoint import Checkpoint, converted
from keras_mlp.weights.own_metadata import stated
from keras_mlp.weights.token_axes import token_axes


def shape_in_file(model: VisionModel, checkpoint: Checkpoint) -> tuple[int, int, int] | None:
    """Returns the image shape of the model in a file.

    `save_checkpoint` writes it into the file. Any other file is for the shape of `model` if its
    tensors fit as they are; otherwise for the square with as many patches as they have tokens,
    since all published files are for square images.

    Args:
        model: a model with the file's architecture and patch size, and any image shape.
        checkpoint: the file, recognised for this model.

    Returns:
        (H, W, channels): `model.image_shape` if the matrices do not depend on the image (a
        `RepMLPNet` with partitions); None if the tensors do not show the number of tokens
        (`VisionPermutator`).

    Raises:
        ValueError: `save_checkpoint` wrote the file, but it does not state its image shape; the
            tensors fit both shapes, or neither.
    """
    own = stated(checkpoint.path, "image_shape", check_image_shape)
    if own is not None:
        return own
    if getattr(model, "partition_size", None) is not None:
        return model.image_shape
    weight = _telling_weight(model, checkpoint)
    if weight is None:
        return None
    fits = _fits(model, checkpoint, weight, model.grid)
    square = _square(model, checkpoint, weight)
    if fits and square in (None, model.image_shape):
        return model.image_shape
    if square is not None and not fits:
        return square
    raise ValueError(_unclear(model, checkpoint, square))


def _square(
    model: VisionModel, checkpoint: Checkpoint, weight: keras.Variable
) -> tuple[int, int, int] | None:
    """Returns the square image shape that the tensor of this weight fits; None if there is none."""
    height, width = check_pair("patch_size", model.patch_size)
    tensor = _tensor(model, checkpoint, weight)
    largest = math.isqrt(tensor.size if tensor.ndim == 1 else tensor.shape[1])
    # Without the few tokens in front of the grid the side may be smaller.
    for side in range(largest, max(largest - 3, 0), -1):
        if _fits(model, checkpoint, weight, (side, side)):
            return side * height, side * width, model.image_shape[-1]
    return None


def _fits(
    model: VisionModel, checkpoint: Checkpoint, weight: keras.Variable, grid: tuple[int, int]
) -> bool:
    """Whether the tensor has as many tokens as this weight would have on another grid."""
    roles, shape = token_axes(model, weight.path) or (), list(weight.shape)
    axes = [axis for axis, role in enumerate(roles) if role in (IN, OUT, POSITION)]
    for axis in axes:
        shape[axis] += math.prod(grid) - math.prod(model.grid)
    origin = checkpoint.layout.origin(weight.path, model)
    array = converted(checkpoint.tensors[origin.name], origin, tuple(shape))
    return (
        array is not None
        and array.ndim == len(shape)
        and all(array.shape[axis] == shape[axis] for axis in axes)
    )


def _unclear(
    model: VisionModel, checkpoint: Checkpoint, square: tuple[int, int, int] | None
) -> str:
    way = "Pass `file_image_shape`, the (height, width, channels) of the model in the file"
    if square is None:
        return (
            f"{checkpoint.path} does not fit `image_shape`={model.image_shape}, and its tokens "
            f"form no square, so that its own image shape is not known. {way}."
        )
    return (
        f"{checkpoint.path} fits `image_shape`={model.image_shape} as it is, and may also be for "
        f"images of {square[0]} x {square[1]}, whose weights must be resized. {way}: "
        f"{model.image_shape} to load it as it is, {square} to resize it."
    )


def _telling_weight(model: VisionModel, checkpoint: Checkpoint) -> keras.Variable | None:
    """Returns the first weight whose tensor shows the number of tokens; None if there is none."""
    for weight in model.weights:
        roles = token_axes(model, weight.path)
        if roles is None or not {OUT, POSITION} & set(roles) or HIDDEN in roles:
            continue
        if math.prod(model.token_grid(weight.path)) != math.prod(model.grid):
            continue  # it runs over a part of the tokens
        tensor = _tensor(model, checkpoint, weight)
        if tensor is not None and (roles == (OUT,) or tensor.ndim > 1):
            return weight
    return None


def _tensor(model: VisionModel, checkpoint: Checkpoint, weight: keras.Variable) -> Any:
    return checkpoint.tensors.get(checkpoint.layout.origin(weight.path, model).name)
