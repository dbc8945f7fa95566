"""FF-only ("Do You Even Need Attention?", Melas-Kyriazi, 2021, arXiv:2105.02723).

The Vision Transformer with a second MLP in place of attention. Unlike MLP-Mixer it mixes channels
first and tokens second, normalises over tokens before it mixes them, lets a class token take part,
and has a learned position embedding.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_mlp.arguments import check_pair, check_positive_int
from keras_mlp.layers import (
    MLP,
    GridPositionEmbedding,
    LayerNormalization,
    PatchEmbedding,
    PrependClassToken,
)
from keras_mlp.layers.initializers import torch_uniform
from keras_mlp.layers.stochastic_depth import linear_ramp
from keras_mlp.layers.token_grid import OUT, Grids
from keras_mlp.layers.token_mlp import TokensLastMLP
from keras_mlp.layers.token_normalization import TokenNormalization
from keras_mlp.models.base import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    VisionModel,
    feature_head,
    image_input,
    size,
)
from keras_mlp.models.block import Block
from keras_mlp.models.checkpoint_layout import CheckpointLayout, Converted
from keras_mlp.models.constructor import checked, optional
from keras_mlp.models.token_mixing import TOKEN_MLP_AXES, TokenMixing
from keras_mlp.typing import (
    Array,
    Config,
    DTypePolicy,
    ImageShape,
    Initializer,
    Pair,
    PerChannel,
    Shape,
    Tensor,
)


@keras.saving.register_keras_serializable("keras_mlp")
class FFOnlyBlock(Block):
    """Mixes channels, then tokens.

    The second LayerNorm normalises each channel over the tokens, with N factors and shifts.

    Args:
        channel_mlp_dim: hidden width of the MLP over channels.
        token_mlp_dim: hidden width of the MLP over tokens.
        dropout_rate, drop_path_rate, layer_norm_epsilon, **kwargs: as for `Block`.

    Shapes: (B, N, C) -> (B, N, C).

    >>> tuple(FFOnlyBlock(channel_mlp_dim=32, token_mlp_dim=20)(numpy.ones((2, 5, 8))).shape)
    (2, 5, 8)
    """

    branches = ("channel_mixing", "token_mixing")

    def __init__(
        self,
        channel_mlp_dim: int,
        token_mlp_dim: int,
        dropout_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        layer_norm_epsilon: float = 1e-6,
        **kwargs: Any,
    ) -> None:
        super().__init__(locals())

    def build(self, input_shape: Shape) -> None:
        batch, tokens, channels = input_shape
        transposed = (batch, channels, tokens)
        norm = {"epsilon": self.layer_norm_epsilon, "dtype": self.dtype_policy}
        mlp = {
            "dropout_rate": self.dropout_rate,
            "kernel_initializer": _normal(),
            "dtype": self.dtype_policy,
        }
        self.norm1 = LayerNormalization(**norm, name="norm1")
        self.channel_mlp = MLP(self.channel_mlp_dim, **mlp, name="channel_mlp")
        self.drop_path1 = self.new_drop_path()
        self.norm2 = TokenNormalization(**norm, front_tokens=1, name="norm2")
        self.token_mlp = TokensLastMLP(self.token_mlp_dim, **mlp, front_tokens=1, name="token_mlp")
        self.drop_path2 = self.new_drop_path()
        self.norm1.build(input_shape)
        self.channel_mlp.build(input_shape)
        self.norm2.build(transposed)
        self.token_mlp.build(transposed)

    def residuals(
        self, x: Tensor, training: bool | None, grids: Grids | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        channels = self.channel_mixing(x, training)
        x = x + self.drop_path1(channels, training=training)
        tokens = self.token_mixing(x, training, grids)
        x = x + self.drop_path2(tokens, training=training)
        return x, {"channel_mixing": channels, "token_mixing": tokens}

    def channel_mixing(self, x: Tensor, training: bool | None) -> Tensor:
        return self.channel_mlp(self.norm1(x), training=training)

    def token_mixing(self, x: Tensor, training: bool | None, grids: Grids | None = None) -> Tensor:
        # The norm runs over the transposed tokens too, hence not TokenMLP.
        x = self.norm2(ops.transpose(x, (0, 2, 1)), grids=grids)
        mixed = self.token_mlp(x, training=training, grids=grids)
        return ops.transpose(mixed, (0, 2, 1))


def _normal() -> Initializer:
    return keras.initializers.RandomNormal(stddev=0.02)


def _size(
    patch_size: int, num_layers: int, hidden_dim: int, image_side: int = 224, positions: int = 14
) -> Config:
    own = {"channel_mlp_dim": 4 * hidden_dim, "position_grid": (positions, positions)}
    return size(image_side, patch_size, num_layers, hidden_dim, **own)


def _grid_positions(table: Array) -> Array:
    """(1, C, height, width) as (height, width, C)."""
    return table[0].transpose(1, 2, 0)


def _published_positions(table: Array, model: VisionModel) -> Array:
    return table.transpose(2, 0, 1)[None]


_OFFICIAL: dict[str, str | Converted] = {
    "stem/projection": "patch_embed.proj",
    "class_token/token": "cls_token",
    "position_embedding/class_token": "pos_encoding.cls_pos_embed",
    "position_embedding/embeddings": Converted(
        "pos_encoding.pos_embed", _grid_positions, invert=_published_positions
    ),
    "block_{i}/norm1": "blocks.{i}.norm1",
    "block_{i}/channel_mlp/fc1": "blocks.{i}.mlp1.fc1",
    "block_{i}/channel_mlp/fc2": "blocks.{i}.mlp1.fc2",
    "block_{i}/norm2": "blocks.{i}.norm2",
    "block_{i}/token_mlp/fc1": "blocks.{i}.mlp2.fc1",
    "block_{i}/token_mlp/fc2": "blocks.{i}.mlp2.fc2",
    "norm": "norm",
    "head": "head",
}


@keras.saving.register_keras_serializable("keras_mlp")
class FFOnly(VisionModel):
    """FF-only network (Melas-Kyriazi, arXiv:2105.02723), as a functional Keras model.

    A built model takes one image size: its token MLPs have N = 1 + h * w inputs, the class token
    and the grid.

    Args:
        channel_mlp_dim: hidden width of the channel MLPs.
        token_mlp_dim: hidden width of the token MLPs; None for the published 4 N.
        position_grid: (height, width) of the stored position embedding, or one number for both;
            None for the grid of the tokens. Where it differs from that grid, as in the published
            "linear_large", the embedding is interpolated in every call.
        dropout_rate: in [0, 1), after the position embedding and inside the MLPs. Published: 0.1.
        All others: see `VisionModel`.

    >>> model = FFOnly.from_variant("nano/4", num_classes=10)
    >>> tuple(model(numpy.zeros((2, 32, 32, 3), "uint8")).shape)
    (2, 10)
    """

    variants = {
        "linear_tiny": _size(16, 12, 192),
        "linear_base": _size(16, 12, 768),
        "linear_large": _size(32, 24, 1024),
        "nano/4": _size(4, 7, 128, image_side=32, positions=8),
        "pico/4": _size(4, 4, 64, image_side=28, positions=7),
        "pico/2": _size(2, 4, 64, image_side=8, positions=4),
    }

    zero_gradient = (
        ("token_mlp/fc2/bias",),
        "adds one number to all channels of a token, which LayerNorm subtracts",
    )

    token_mixing = TokenMixing(
        layers=("token_mlp",),
        axes={**TOKEN_MLP_AXES, "norm2/gamma": (OUT,), "norm2/beta": (OUT,)},
        maps=lambda block: ops.transpose(block.token_mlp.fc1.kernel),
        parts={"token_mlp": "token_mixing", "channel_mlp": "channel_mixing"},
    )

    checkpoint_layouts = {"official": CheckpointLayout(_OFFICIAL, torch=True)}

    has_class_token = True

    def __init__(
        self,
        *,
        image_shape: ImageShape = (224, 224, 3),
        patch_size: Pair = 16,
        num_layers: int = 12,
        hidden_dim: int = 768,
        channel_mlp_dim: int = 3072,
        token_mlp_dim: int | None = None,
        position_grid: Pair | None = (14, 14),
        num_classes: int = 1000,
        dropout_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        layer_norm_epsilon: float = 1e-6,
        include_top: bool = True,
        pooling: str | None = "token",
        classifier_activation: str | None = None,
        include_preprocessing: bool = True,
        pixel_mean: PerChannel = IMAGENET_MEAN,
        pixel_std: PerChannel = IMAGENET_STD,
        remat: bool = False,
        name: str | None = None,
        dtype: DTypePolicy = None,
    ) -> None:
        arguments = checked(
            locals(),
            token_mlp_dim=optional(check_positive_int),
            position_grid=optional(check_pair),
        )
        dtype, grid = arguments.dtype, arguments.grid
        if arguments.token_mlp_dim is None:
            arguments.token_mlp_dim = 4 * (1 + grid[0] * grid[1])
        pixels, x = image_input(arguments)
        initializer = torch_uniform(int(np.prod(arguments.patch_size)) * x.shape[-1])
        x = PatchEmbedding(
            patch_size,
            hidden_dim,
            kernel_initializer=initializer,
            bias_initializer=initializer.clone(),
            dtype=dtype,
            name="stem",
        )(x)
        x = PrependClassToken(_normal(), dtype=dtype, name="class_token")(x)
        positions = arguments.position_grid or grid
        x = GridPositionEmbedding(grid, positions, dtype=dtype, name="position_embedding")(x)
        x = keras.layers.Dropout(arguments.dropout_rate, dtype=dtype, name="dropout")(x)
        for i, rate in enumerate(linear_ramp(drop_path_rate, num_layers)):
            x = FFOnlyBlock(**arguments.of(FFOnlyBlock, drop_path_rate=rate), name=f"block_{i}")(x)
        x = LayerNormalization(epsilon=layer_norm_epsilon, dtype=dtype, name="norm")(x)
        outputs = feature_head(x, arguments, kernel_initializer=_normal(), front_tokens=1)
        super().__init__(pixels, outputs, arguments)

    def arguments_at(self, image_shape: ImageShape) -> Config:
        # Their defaults would follow the image size.
        return {
            "token_mlp_dim": self.blocks[0].token_mlp_dim,
            "position_grid": self.grid if self.position_grid is None else self.position_grid,
        }

    def arguments_of_copies(self, copies: int) -> Config:
        self._refuse_copies()
