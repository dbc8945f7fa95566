"""The layers that the architectures are made of, one a file."""

from keras_mlp.layers.activations import gelu, gelu_tanh
from keras_mlp.layers.class_token import ClassToken, GridTokens
from keras_mlp.layers.dense import Dense
from keras_mlp.layers.mlp import MLP
from keras_mlp.layers.patch_embedding import PatchEmbedding
from keras_mlp.layers.pixel_normalization import PixelNormalization
from keras_mlp.layers.stochastic_depth import StochasticDepth
from keras_mlp.layers.token_mlp import TokenMLP

__all__ = [
    "MLP",
    "ClassToken",
    "Dense",
    "GridTokens",
    "PatchEmbedding",
    "PixelNormalization",
    "StochasticDepth",
    "TokenMLP",
    "gelu",
    "gelu_tanh",
]
