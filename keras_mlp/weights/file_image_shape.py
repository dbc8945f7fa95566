"""The image shape of the model in a file."""

import json
import math
import pathlib

import safetensors

from keras_mlp.arguments import check_image_shape, check_pair
from keras_mlp.models import VisionModel
from keras_mlp.models.token_mixing import HIDDEN, OUT, POSITION
from keras_mlp.weights.checkpoint import Checkpoint
from keras_mlp.weights.token_axes import token_axes


def file_image_shape(model: VisionModel, checkpoint: Checkpoint) -> tuple[int, int, int] | None:
    """Returns the image shape of the model in a file.

    `save_checkpoint` writes it into the file. For other files it is the square with as many patches
    as the tensors have tokens, since all published files are for square images.

    Args:
        model: a model with the file's architecture and patch size, and any image shape.
        checkpoint: the file, recognised for this model.

    Returns:
        (H, W, channels): `model.image_shape` if the tokens do not form a square, or the matrices do
        not depend on the image (a `RepMLPNet` with partitions); None if the tensors do not show the
        number of tokens (`VisionPermutator`).

    Raises:
        ValueError: `save_checkpoint` wrote the file, but it does not state its image shape.
    """
    stated = _stated(pathlib.Path(checkpoint.path))
    if stated is not None:
        return stated
    tokens = _tokens(model, checkpoint)
    if tokens is None:
        return None
    if getattr(model, "partition_size", None) is not None:
        return model.image_shape
    patch = check_pair("patch_size", model.patch_size)
    # At most one of the two is a square. big_vision's positions exclude the class token.
    for count in (tokens, tokens - 1) if model.has_class_token else (tokens,):
        side = math.isqrt(max(count, 0))
        if side > 0 and side * side == count:
            return side * patch[0], side * patch[1], model.image_shape[-1]
    return model.image_shape


def _stated(path: pathlib.Path) -> tuple[int, int, int] | None:
    """Returns the shape in the metadata of `save_checkpoint`; None in other files."""
    if path.suffix != ".safetensors":
        return None
    with safetensors.safe_open(path, "numpy") as file:
        metadata = file.metadata() or {}
    if "keras_mlp" not in metadata:
        return None
    try:
        return check_image_shape(json.loads(metadata["arguments"])["image_shape"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} does not state its image shape: {error}") from error


def _tokens(model: VisionModel, checkpoint: Checkpoint) -> int | None:
    """Returns the number of tokens, including a class token; None if no tensor shows it."""
    for weight in model.weights:
        roles = token_axes(model, weight.path)
        if roles is None or not {OUT, POSITION} & set(roles) or HIDDEN in roles:
            continue
        tensor = checkpoint.tensors.get(checkpoint.layout.origin(weight.path, model).name)
        if tensor is not None and roles == (OUT,):
            return tensor.size
        if tensor is not None and tensor.ndim > 1:  # positions, or a matrix from tokens to tokens
            return tensor.shape[1]
    return None
