"""The block that a tool of this package looks at, and what it is given."""

import numbers

import numpy as np
from keras import ops

from keras_mlp.arguments import check_choice
from keras_mlp.models import VisionModel
from keras_mlp.models.block import Block
from keras_mlp.typing import Array

_BATCH = 256


def chosen_block(model: VisionModel, block: int | str) -> Block:
    """The block with a number from 0, over all stages, or with a name; ValueError otherwise."""
    blocks = {layer.name: layer for layer in model.blocks}
    if isinstance(block, numbers.Integral) and not isinstance(block, bool):
        if 0 <= block < len(blocks):
            return model.blocks[int(block)]
        raise ValueError(f"`block` must be in 0 to {len(blocks) - 1} or a name, got {block}.")
    return blocks[check_choice("block", block, blocks)]


def inputs_of(model: VisionModel, block: Block, images: Array) -> Array:
    """What a block of a model is given for images, (N, S, C) or (N, h, w, C)."""
    names = [layer.name for layer in model.layers]
    before = names[names.index(block.name) - 1]
    taps = model.features([before], grid=False)
    batches = (images[start : start + _BATCH] for start in range(0, len(images), _BATCH))
    return np.concatenate([ops.convert_to_numpy(taps(batch)[before]) for batch in batches])
