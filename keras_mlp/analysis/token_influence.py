"""How far the token mixing of a block reaches, measured on images: it works for every family."""

import dataclasses
import math
from typing import Any

import numpy as np
from keras import ops

from keras_mlp.analysis.chosen_block import chosen_block, inputs_of
from keras_mlp.arguments import check_count, check_positive_int, shown
from keras_mlp.layers.layer_changes import changes_of
from keras_mlp.models import VisionModel, check_model
from keras_mlp.models.block import Block
from keras_mlp.typing import Array, Tensor

# Size of a change over that of the tokens: small enough to be linear, large enough for float32.
_STEP = 0.01
_BATCH = 256  # changed inputs that run at once


@dataclasses.dataclass(frozen=True)
class TokenInfluence:
    """What each position of a grid reads, as shares.

    Attributes:
        shares: float32 (h, w, h, w); `shares[row, column]` is the map (h, w) of what the position
            in that row and column reads. Each map sums to 1, or is zero if nothing is read.
    """

    shares: Array

    @property
    def distance(self) -> float:
        """Mean distance between a position and what it reads, in tokens, weighted by the shares."""
        height, width = self.shares.shape[:2]
        rows, columns = np.indices((height, width)).reshape(2, -1)
        distances = np.hypot(rows[:, None] - rows, columns[:, None] - columns)
        return float((self._matrix() * distances).sum(axis=1).mean())

    @property
    def own_share(self) -> float:
        """Mean share that a position reads from itself."""
        return float(np.diagonal(self._matrix()).mean())

    def by_offset(self) -> Array:
        """Mean share for each offset of what is read: (2 h - 1, 2 w - 1), offset 0 in the middle.

        Only positions that have a neighbour at an offset take part in its mean.
        """
        height, width = self.shares.shape[:2]
        total = np.zeros((2 * height - 1, 2 * width - 1), "float64")
        count = np.zeros(total.shape, "int64")
        for row in range(height):
            for column in range(width):
                window = np.s_[
                    height - 1 - row : 2 * height - 1 - row,
                    width - 1 - column : 2 * width - 1 - column,
                ]
                total[window] += self.shares[row, column]
                count[window] += 1
        return (total / count).astype("float32")

    def _matrix(self) -> Array:
        tokens = math.prod(self.shares.shape[:2])
        return self.shares.reshape(tokens, tokens)


def token_influence(
    model: VisionModel, images: Array, block: int | str, *, directions: int = 2, seed: int = 0
) -> TokenInfluence:
    """Measures how much each output position of a block's token mixing depends on each input one.

    One token after the other is changed a little, in random directions, and every position of the
    branch that mixes tokens is compared before and after. The result estimates the Frobenius norm
    of the Jacobian between two positions, as root mean square over images; the norms of an output
    position are then divided by their sum. Of a linear layer over tokens, as in `ResMLP`, these
    are the absolute values of its weights, exactly. Unlike weights, they can be compared between
    families: an MLP with its activation function, attention, gates and the branches of Vision
    Permutator all count, and so does what a position reads from itself. Class tokens are left out.

    Args:
        model: a `VisionModel` that computes in float32.
        images: array of one or more images as `model` takes them, (N, H, W, channels).
        block: number of the block from 0, over all stages, or its name, such as "block_3".
        directions: number of random directions of each token and image.
        seed: of the directions, a non-negative integer.

    Returns:
        A `TokenInfluence` on the grid of the block's stage.

    Raises:
        ValueError: an argument is wrong, or `model` is quantized or computes in another dtype than
            float32.

    Example:

    >>> model = ResMLP.from_variant("pico/2")
    >>> influence = token_influence(model, numpy.zeros((1, 8, 8, 3)), block=0)
    >>> influence.shares.shape
    (4, 4, 4, 4)
    """
    layer = chosen_block(check_model(model), block)
    count, seed = check_positive_int("directions", directions), check_count("seed", seed)
    _check_precision(model)
    inputs = inputs_of(model, layer, _check_images(model, images))
    generator = np.random.default_rng(seed)
    squares = sum(
        _squared_changes(layer, each, generator.choice((-1, 1), size=each.shape))
        for each in inputs
        for _ in range(count)
    )
    norms = np.sqrt(np.asarray(squares, "float64"))
    height, width = _grid(model, inputs.shape)
    start = norms.shape[0] - height * width  # tokens in front of the grid
    norms = norms[start:, start:]
    total = norms.sum(axis=1, keepdims=True)
    shares = norms / np.where(total > 0, total, 1)
    return TokenInfluence(shares.astype("float32").reshape(height, width, height, width))


def _check_precision(model: VisionModel) -> None:
    """Raises ValueError where rounding would hide a small change."""
    rounded = changes_of(model)["quantized"]
    if model.compute_dtype != "float32" or rounded:
        found = "quantized layers" if rounded else model.compute_dtype
        raise ValueError(
            f"`model` must compute in float32, to show small changes, got {model.name} with "
            f"{found}: measure the model before that change, or build it with dtype='float32'."
        )


def _check_images(model: VisionModel, images: Any) -> Array:
    height, width, channels = model.image_shape
    allowed = f"an array (N, {height}, {width}, {channels}) of one or more images of finite numbers"
    if not isinstance(images, np.ndarray) or images.dtype.kind not in "uif":
        raise ValueError(f"`images` must be {allowed}, got {shown(images)}.")
    if images.shape[1:] != (height, width, channels) or not len(images):
        raise ValueError(f"`images` must be {allowed}, got the shape {images.shape}.")
    if not np.isfinite(images).all():
        raise ValueError(f"`images` must be {allowed}: some are not finite.")
    return images


def _squared_changes(block: Block, x: Array, direction: Array) -> Array:
    """Squared size of the change of each output position by each input position, (out, in)."""
    flat = x.reshape(-1, x.shape[-1])
    size = _STEP * float(np.sqrt(np.square(flat).mean())) or _STEP
    steps = size * direction.reshape(flat.shape).astype("float32")
    changes = []
    for start in range(0, len(flat), _BATCH):
        at = np.arange(start, min(start + _BATCH, len(flat)))
        above, below = (np.repeat(flat[None], len(at), axis=0) for _ in range(2))
        above[np.arange(len(at)), at] += steps[at]
        below[np.arange(len(at)), at] -= steps[at]
        outputs = [_mixed(block, each.reshape(-1, *x.shape)) for each in (above, below)]
        difference = (outputs[0] - outputs[1]) / (2 * size)
        changes.append(np.square(difference).reshape(len(at), len(flat), -1).sum(axis=-1))
    return np.concatenate(changes).T


def _mixed(block: Block, x: Tensor) -> Array:
    _, branches = block(x, training=False, return_branches=True)
    return ops.convert_to_numpy(branches["token_mixing"]).astype("float64")


def _grid(model: VisionModel, shape: tuple[int, ...]) -> tuple[int, int]:
    """The grid of a block's input: that of the map, or that of the model for tokens."""
    return (shape[1], shape[2]) if len(shape) == 4 else model.grid
