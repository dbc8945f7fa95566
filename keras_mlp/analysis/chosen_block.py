"""The block that a tool of this package looks at."""

import numbers

from keras_mlp.arguments import check_choice
from keras_mlp.models import VisionModel
from keras_mlp.models.block import Block


def chosen_block(model: VisionModel, block: int | str) -> Block:
    """The block with a number from 0, over all stages, or with a name; ValueError otherwise."""
    blocks = {layer.name: layer for layer in model.blocks}
    if isinstance(block, numbers.Integral) and not isinstance(block, bool):
        if 0 <= block < len(blocks):
            return model.blocks[int(block)]
        raise ValueError(f"`block` must be in 0 to {len(blocks) - 1} or a name, got {block}.")
    return blocks[check_choice("block", block, blocks)]
