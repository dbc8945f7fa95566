"""The layers that the architectures are built from, one per file."""

from keras_mlp.layers.activations import gelu, gelu_tanh, quick_gelu
from keras_mlp.layers.affine import Affine
from keras_mlp.layers.class_token import ClassToken, GridTokens, PrependClassToken
from keras_mlp.layers.conv_norm_relu import ConvNormReLU
from keras_mlp.layers.dense import Dense
from keras_mlp.layers.distilled_head import DistilledHead
from keras_mlp.layers.ffn_block import FFNBlock
from keras_mlp.layers.grid_position_embedding import GridPositionEmbedding
from keras_mlp.layers.grouped_conv2d import GroupedConv2D
from keras_mlp.layers.grouped_dense import GroupedDense
from keras_mlp.layers.layer_normalization import LayerNormalization
from keras_mlp.layers.layer_scale import LayerScale
from keras_mlp.layers.mlp import MLP
from keras_mlp.layers.patch_embedding import PatchEmbedding
from keras_mlp.layers.permute_mlp import PermuteMLP
from keras_mlp.layers.pixel_normalization import PixelNormalization
from keras_mlp.layers.position_embedding import PositionEmbedding
from keras_mlp.layers.repmlp import RepMLP
from keras_mlp.layers.repmlp_block import RepMLPBlock
from keras_mlp.layers.self_attention import SelfAttention
from keras_mlp.layers.spatial_gating_unit import SpatialGatingUnit
from keras_mlp.layers.stochastic_depth import StochasticDepth
from keras_mlp.layers.tiny_attention import TinyAttention
from keras_mlp.layers.token_dense import TokenDense
from keras_mlp.layers.token_mlp import TokenMLP, TokensLastMLP
from keras_mlp.layers.token_normalization import TokenNormalization

__all__ = [
    "MLP",
    "Affine",
    "ClassToken",
    "ConvNormReLU",
    "Dense",
    "DistilledHead",
    "FFNBlock",
    "GridPositionEmbedding",
    "GridTokens",
    "GroupedConv2D",
    "GroupedDense",
    "LayerNormalization",
    "LayerScale",
    "PatchEmbedding",
    "PermuteMLP",
    "PixelNormalization",
    "PositionEmbedding",
    "PrependClassToken",
    "RepMLP",
    "RepMLPBlock",
    "SelfAttention",
    "SpatialGatingUnit",
    "StochasticDepth",
    "TinyAttention",
    "TokenDense",
    "TokenMLP",
    "TokenNormalization",
    "TokensLastMLP",
    "gelu",
    "gelu_tanh",
    "quick_gelu",
]
