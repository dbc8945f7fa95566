"""A trained model for images of another shape."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_mlp.arguments import check_choice, check_image_shape, check_pair, patch_grid
from keras_mlp.layers.token_grid import IN, OUT
from keras_mlp.models import VisionModel, check_model
from keras_mlp.models.base import IMAGENET_MEAN, IMAGENET_STD
from keras_mlp.models.blank_model import blank_model
from keras_mlp.models.token_mixing import POSITION
from keras_mlp.typing import Array, Config, ImageShape
from keras_mlp.weights.input_channels import fit_channels
from keras_mlp.weights.position_resize import resize_positions
from keras_mlp.weights.token_axes import token_axes
from keras_mlp.weights.token_mixing_resize import copy_tokens, interpolate_tokens

METHODS = ("interpolate", "block_diagonal", "reinitialize")
POSITION_METHODS = ("bicubic_antialias", "bicubic", "bilinear", "zoom")


def with_image_shape(
    model: VisionModel,
    image_shape: ImageShape,
    *,
    method: str = "interpolate",
    position_method: str = "bicubic_antialias",
) -> VisionModel:
    """A model for images of another shape, square or not, with the weights of `model`.

    The patches keep their size in pixels, so that there are more or fewer tokens. Weights that run
    over tokens are made to fit; all others are copied as they are. Fine-tuning should follow.

    - "interpolate": token-mixing weights are interpolated on the grid, along the tokens that come
      out and along those that are summed over, so that sums stay what they were
      (`keras_mlp.weights.interpolate_tokens` says how, and why). For any size. For pictures of the
      same things, enlarged or reduced.
    - "block_diagonal": the Mixer paper's (appendix C): the image is cut into sub-images of the old
      size, and token mixing stays inside each, with a copy of the weights. For whole multiples of
      the old size; for things that keep their size in pixels. Exact: pooled features and logits
      are the means over the sub-images. `MLPMixer` (its `token_mlp_dim` grows with the number of
      sub-images, its token MLPs with the square of it), `ResMLP`, `GMLP` without attention; and
      `RepMLPNet`, whose maps are then partitioned, but for its gates, which average over the whole
      map.
    - "reinitialize": new random token-mixing weights and positions: the baseline that a method has
      to beat.

    Positions of `ViT` are interpolated under "interpolate", those of `FFOnly` in every call, as
    always. The matrices of a `VisionPermutator` are interpolated along rows, or columns, and keep
    the segments of the channels. The convolutions in a `RepMLPNet` keep their size in pixels of the
    map; those in a deployed one are a part of its matrices and grow with them. Statistics of
    BatchNorm are copied.

    `model.at(image_shape)` computes the same as "interpolate" without a copy of the weights.

    Args:
        model: of one of the architectures of `keras_mlp`. It is not changed.
        image_shape: (H, W, channels) of the new model; H and W multiples of the patch. For one
            channel the first kernel is summed over its channels, so that a grey picture gives what
            its copies in all channels gave; for any other number it is repeated and rescaled, as in
            timm, and a mean and a deviation per channel are averaged.
        method: "interpolate", "block_diagonal" or "reinitialize".
        position_method: how positions of a `ViT` are interpolated; `method` of
            `keras_mlp.weights.resize_positions`.

    Returns:
        A new model of the same class and arguments, but for the image shape and what is said
        above; not compiled. What is frozen stays frozen. For the shape that `model` has, an equal
        copy, bit for bit (but for what "reinitialize" draws).

    Raises:
        ValueError: an argument is out of range; the patch does not divide the image; the
            architecture does not let its image size be changed by this method; or the model is
            quantized or has LoRA factors.

    Example:

    >>> model = MLPMixer.from_variant("pico/2")
    >>> larger = with_image_shape(model, (12, 16, 3))
    >>> tuple(larger.get_layer("block_0").token_mlp.fc1.kernel.shape)  # was (16, 32)
    (48, 32)
    """
    image_shape = _checked_shape(model, image_shape)
    check_choice("method", method, METHODS)
    check_choice("position_method", position_method, POSITION_METHODS)
    build, config = type(model).from_config, _config(model, image_shape, method)
    new = build(config) if method == "reinitialize" else blank_model(build, config)
    weights = _by_path(model, new)
    arrays: dict[str, Any] = {
        path: ops.convert_to_numpy(weight) for path, weight in weights.items()
    }
    fit_channels(new, arrays, model.pixel_mean, model.pixel_std)
    for weight in new.weights:
        array = _resized(arrays[weight.path], model, new, weight, method, position_method)
        if array is not None:
            weight.assign(array)
    new.weights_source = model.weights_source
    return new


def _checked_shape(model: VisionModel, image_shape: Any) -> ImageShape:
    """The new shape as a tuple, or ValueError."""
    config = check_model(model).get_config()
    if config["quantized"] or config["lora"]:
        raise ValueError(
            f"`model` {model.name} is quantized or has LoRA factors: change the image shape before "
            "it is quantized, and after `keras_mlp.merge_lora`."
        )
    image_shape = check_image_shape(image_shape)
    patch_grid(image_shape, check_pair("patch_size", model.patch_size))
    return image_shape


def _config(model: VisionModel, image_shape: ImageShape, method: str) -> Config:
    """The arguments of the new model."""
    config = {**model.get_config(), "image_shape": image_shape}
    if image_shape[-1] != model.image_shape[-1]:
        config |= _one_normalization(model)
    if image_shape[:2] == tuple(model.image_shape[:2]):
        return config
    changed = model.arguments_at(image_shape)
    if method == "block_diagonal":
        changed = model.arguments_of_copies(_copies(model, image_shape))
    return {**config, **changed}


def _one_normalization(model: VisionModel) -> Config:
    """The mean and deviation of another number of channels, if those of `model` are per channel.

    ImageNet's stay as they are: the new model averages them itself.
    """
    values = {"pixel_mean": model.pixel_mean, "pixel_std": model.pixel_std}
    return {
        name: float(np.mean(value))
        for name, value in values.items()
        if np.ndim(value) and value not in (IMAGENET_MEAN, IMAGENET_STD)
    }


def _copies(model: VisionModel, image_shape: ImageShape) -> int:
    """The number of sub-images of the model's shape."""
    grid, patch = model.grid, check_pair("patch_size", model.patch_size)
    new_grid = patch_grid(image_shape, patch)
    if new_grid[0] % grid[0] or new_grid[1] % grid[1]:
        raise ValueError(
            f"`method`='block_diagonal' needs whole multiples of the image shape of {model.name}, "
            f"{tuple(model.image_shape)}, got `image_shape`={image_shape}."
        )
    return (new_grid[0] // grid[0]) * (new_grid[1] // grid[1])


def _by_path(model: VisionModel, new: VisionModel) -> dict[str, keras.Variable]:
    """The model's weights by path; ValueError unless they are those of the new model."""
    weights = {weight.path: weight for weight in model.weights}
    paths = {weight.path for weight in new.weights}
    if weights.keys() != paths:
        raise ValueError(
            f"`model` {model.name} was changed after it was built: these weights are not those "
            f"that its arguments give: {sorted(weights.keys() ^ paths)}."
        )
    return weights


def _resized(
    array: Array,
    model: VisionModel,
    new: VisionModel,
    weight: keras.Variable,
    method: str,
    position_method: str,
) -> Array | None:
    """The array for a weight of the new model; None where it keeps its initial value."""
    roles = token_axes(model, weight.path)
    if roles is not None and method == "reinitialize":
        return None
    if roles is not None:
        grids = model.token_grid(weight.path), new.token_grid(weight.path)
        array = _to_grid(array, model, roles, *grids, method, position_method)
    if array.shape != tuple(weight.shape):
        raise ValueError(
            f"The weight {weight.path} of {model.name} has shape {array.shape}, and for the new "
            f"image shape {tuple(weight.shape)}: there is no rule to make one from the other."
        )
    return array


def _to_grid(
    array: Array,
    model: VisionModel,
    roles: tuple[str, ...],
    grid: tuple[int, int],
    new_grid: tuple[int, int],
    method: str,
    position_method: str,
) -> Array:
    if grid == new_grid:
        return array
    if method == "block_diagonal":
        return copy_tokens(array, roles, grid, new_grid)
    if POSITION in roles:
        # Those of a class token and of registers, if they have positions, come first.
        first = array.shape[1] - grid[0] * grid[1]
        return resize_positions(
            array, new_grid, method=position_method, grid=grid, class_token=first
        )
    tokens = grid[0] * grid[1] + model.has_class_token
    sizes = [size for size, role in zip(array.shape, roles, strict=True) if role in (IN, OUT)]
    return interpolate_tokens(
        array,
        roles,
        grid,
        new_grid,
        class_token=model.has_class_token,
        channels=max(sizes, default=tokens) // tokens,
    )
