"""Attention of a ViT as maps on the grid of tokens."""

import numpy as np
from keras import ops

from keras_mlp.analysis.chosen_block import chosen_block, inputs_of
from keras_mlp.models import VisionModel
from keras_mlp.typing import Array


def attention_weights(model: VisionModel, images: Array, block: int) -> Array:
    """The weights with which each head of a block weighs the tokens.

    Args:
        model: a `ViT`.
        images: (N, H, W, channels).
        block: its number.

    Returns:
        float32 (N, heads, tokens, tokens): [..., output token, input token], front tokens included.
    """
    layer = chosen_block(model, block)
    tokens = layer.norm1(inputs_of(model, layer, images))
    attention = layer.attention
    shape = (*tokens.shape[:2], attention.num_heads, -1)
    query, key = (ops.reshape(each(tokens), shape) for each in (attention.query, attention.key))
    scores = ops.einsum("niad,njad->naij", query, key) / np.sqrt(query.shape[-1])
    return ops.convert_to_numpy(ops.softmax(scores, axis=-1))


def mean_attention(model: VisionModel, images: Array, block: int) -> tuple[Array, Array]:
    """Attention of the tokens, and of the class token, to the grid, mean over heads and images.

    Returns:
        Maps (tokens of the grid, h, w) and one map (1, h, w).
    """
    weights = attention_weights(model, images, block).mean(axis=(0, 1))
    height, width = model.grid
    front = len(weights) - height * width
    maps = weights[:, front:].reshape(-1, height, width)
    return maps[front:], maps[:1]
