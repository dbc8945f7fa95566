"""For which images the model in a file is."""

import json
import math
import pathlib

import safetensors

from keras_mlp.arguments import check_image_shape, check_pair
from keras_mlp.models.token_mixing import HIDDEN, OUT, POSITION
from keras_mlp.weights.token_axes import token_axes


def file_image_shape(model, checkpoint):
    """The shape of the images that the model in a file takes.

    That is what `save_checkpoint` wrote into the file; in a file of others, the square that has as
    many patches as the tensors have tokens: no published file is for other images.

    Args:
        model: of the file's architecture and patch, for images of any shape.
        checkpoint: a `Checkpoint` that was recognised for it.

    Returns:
        (H, W, channels): `model.image_shape` where the tokens form no square, or the matrices know
        nothing of the image (a `RepMLPNet` with partitions); None where the tensors do not show the
        number of tokens (`VisionPermutator`).

    Raises:
        ValueError: the file says that `save_checkpoint` wrote it, and not for which images.
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
    # At most one of the two is a square. big_vision's positions leave the class token out.
    for count in (tokens, tokens - 1) if model.has_class_token else (tokens,):
        side = math.isqrt(max(count, 0))
        if side > 0 and side * side == count:
            return side * patch[0], side * patch[1], model.image_shape[-1]
    return model.image_shape


def _stated(path):
    """What `save_checkpoint` wrote beside the tensors; None in a file of others."""
    if path.suffix != ".safetensors":
        return None
    with safetensors.safe_open(path, "numpy") as file:
        metadata = file.metadata() or {}
    if "keras_mlp" not in metadata:
        return None
    try:
        return check_image_shape(json.loads(metadata["arguments"])["image_shape"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} does not say for which images it is: {error}") from error


def _tokens(model, checkpoint):
    """The number of tokens in a file, a class token included; None where no tensor shows it."""
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
