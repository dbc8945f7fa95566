"""What the token mixing of a block has learned, as pictures on the grid of the image."""

import os
import pathlib

import numpy as np
from keras import ops

from keras_mlp.analysis.chosen_block import chosen_block
from keras_mlp.analysis.png import write_png
from keras_mlp.analysis.tiles import tiled_picture
from keras_mlp.arguments import check_choice, check_path, check_positive_int
from keras_mlp.models import VisionModel, check_model
from keras_mlp.typing import Array

ORDERS = ("stored", "norm", "frequency")


def token_mixing_maps(
    model: VisionModel,
    block: int | str,
    path: str | os.PathLike[str] | None = None,
    *,
    units: int | None = None,
    order: str = "stored",
) -> Array:
    """The learned weights with which one block reads the grid of tokens.

    | model | one map is | number of maps |
    |---|---|---|
    | `MLPMixer` | the weights of a hidden unit of the token MLP, as in the paper's figure | D_S |
    | `FFOnly` | the same, without the weight of the class token | hidden units |
    | `ResMLP` | the weights with which an output token reads all tokens | S |
    | `GMLP` | the same, of the spatial gate | S |
    | `RepMLPNet` | the weights with which an output pixel reads its partition | S * h * w |
    | `ConvMixer` | the kernel of one channel, k x k | C |
    | `VisionPermutator` | no grid: the two C x C matrices, [output, input] | 2 |

    S is the number of tokens; for `RepMLPNet`, of matrices, whose maps follow one another. In the
    training form of a `RepMLPNet` a map shows the matrix alone; `keras_mlp.deploy` adds the
    parallel convolutions to it. Vision Permutator's matrices mix rows (map 0) or columns (map 1)
    together with the C / h channels of a segment: feature `row * (C / h) + channel`. A `ViT` has no
    such weights: how it mixes depends on the image.

    Args:
        model: a `VisionModel`.
        block: number of the block from 0, over all stages, or its name, such as "block_3".
        path: of a PNG file to draw the maps into, in an existing folder; None for none. Blue is
            below zero, red above; each map is scaled by its own largest absolute weight.
        units: number of maps, the first ones in `order`; None for all.
        order: "stored" for that of the weights; "norm" for the largest sum of squares first;
            "frequency" for smooth maps first, by the mean spatial frequency of their power.

    Returns:
        A float32 array (units, h, w).

    Raises:
        ValueError: an argument is wrong, or the model has no learned token mixing.
        OSError: `path` cannot be written.

    Example:

    >>> token_mixing_maps(MLPMixer.from_variant("pico/2"), block=0).shape
    (32, 4, 4)
    """
    reader = check_model(model).token_mixing.maps
    if reader is None:
        raise ValueError(
            f"`model` is a {type(model).__name__}, which has no weights between tokens: how its "
            "attention mixes depends on the image."
        )
    layer = chosen_block(model, block)
    check_choice("order", order, ORDERS)
    count = None if units is None else check_positive_int("units", units)
    if path is not None:
        path = _check_path(path)
    maps = _on_grid(model, ops.convert_to_numpy(reader(layer)).astype("float32"))
    maps = np.ascontiguousarray(_ordered(maps, order)[:count])
    if path is not None:
        write_png(path, tiled_picture(maps))
    return maps


def _check_path(path: str | os.PathLike[str]) -> pathlib.Path:
    path = check_path("path", path)
    if path.suffix != ".png" or not path.absolute().parent.is_dir():
        raise ValueError(f"`path` must be a .png file in an existing folder, got {str(path)!r}.")
    return path


def _on_grid(model: VisionModel, maps: Array) -> Array:
    """Rows (units, tokens) as maps (units, h, w), without the class token; maps as they are."""
    if maps.ndim == 3:
        return maps
    return maps[:, int(model.has_class_token) :].reshape(-1, *model.grid)


def _ordered(maps: Array, order: str) -> Array:
    if order == "stored":
        return maps
    if order == "norm":
        return maps[np.argsort(-np.square(maps).sum(axis=(1, 2)), kind="stable")]
    return maps[np.argsort(_mean_frequencies(maps), kind="stable")]


def _mean_frequencies(maps: Array) -> Array:
    """Spatial frequency in cycles per token, weighted by power; 0 for a map of zeros."""
    power = np.square(np.abs(np.fft.fft2(maps)))
    rows, columns = (np.fft.fftfreq(side) for side in maps.shape[1:])
    frequency = np.hypot(rows[:, None], columns)
    total = power.sum(axis=(1, 2))
    return (power * frequency).sum(axis=(1, 2)) / np.where(total > 0, total, 1)
