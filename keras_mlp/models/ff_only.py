"""FF-only ("Do You Even Need Attention?", Melas-Kyriazi, 2021, arXiv:2105.02723).

The Vision Transformer with a second MLP in place of attention. Unlike MLP-Mixer it mixes channels
first and tokens second, normalises over tokens before it mixes them, lets a class token take part,
and has learned positions.
"""

import keras
from keras import ops

from keras_mlp.arguments import (
    check_image_shape,
    check_pair,
    check_positive,
    check_positive_int,
    check_rate,
    check_shared,
    patch_grid,
)
from keras_mlp.layers import MLP, GridPositionEmbedding, PatchEmbedding, PrependClassToken
from keras_mlp.layers.initializers import torch_uniform
from keras_mlp.layers.stochastic_depth import linear_ramp
from keras_mlp.models.base import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    VisionModel,
    feature_head,
    image_input,
)
from keras_mlp.models.block import Block
from keras_mlp.models.checkpoint_layout import CheckpointLayout, Converted


@keras.saving.register_keras_serializable("keras_mlp")
class FFOnlyBlock(Block):
    """Mixes channels, then tokens.

    The second LayerNorm normalises each channel over the tokens, with N factors and shifts.

    Args:
        channel_mlp_dim: hidden width of the MLP over channels.
        token_mlp_dim: hidden width of the MLP over tokens.
        dropout_rate: in [0, 1), inside both MLPs.
        drop_path_rate: in [0, 1), of dropping either residual branch of a sample.
        layer_norm_epsilon: of both LayerNorms.
        **kwargs: `remat`, and as for `keras.layers.Layer`.

    Shapes: (B, N, C) -> (B, N, C).

    Raises:
        ValueError: an argument is out of range.

    >>> tuple(FFOnlyBlock(channel_mlp_dim=32, token_mlp_dim=20)(numpy.ones((2, 5, 8))).shape)
    (2, 5, 8)
    """

    branches = ("channel_mixing", "token_mixing")

    def __init__(
        self,
        channel_mlp_dim,
        token_mlp_dim,
        dropout_rate=0.0,
        drop_path_rate=0.0,
        layer_norm_epsilon=1e-6,
        **kwargs,
    ):
        super().__init__(drop_path_rate, **kwargs)
        self.channel_mlp_dim = check_positive_int("channel_mlp_dim", channel_mlp_dim)
        self.token_mlp_dim = check_positive_int("token_mlp_dim", token_mlp_dim)
        self.dropout_rate = check_rate("dropout_rate", dropout_rate)
        self.layer_norm_epsilon = check_positive("layer_norm_epsilon", layer_norm_epsilon)

    def build(self, input_shape):
        batch, tokens, channels = input_shape
        transposed = (batch, channels, tokens)
        self.norm1 = self._norm("norm1")
        self.channel_mlp = self._mlp(self.channel_mlp_dim, "channel_mlp")
        self.drop_path1 = self.new_drop_path()
        self.norm2 = self._norm("norm2")
        self.token_mlp = self._mlp(self.token_mlp_dim, "token_mlp")
        self.drop_path2 = self.new_drop_path()
        self.norm1.build(input_shape)
        self.channel_mlp.build(input_shape)
        self.norm2.build(transposed)
        self.token_mlp.build(transposed)
        self.built = True

    def channel_mixing(self, x, training):
        return self.channel_mlp(self.norm1(x), training=training)

    def token_mixing(self, x, training):
        # The norm lives on the transposed tokens too: hence MLP here, and not TokenMLP.
        x = self.norm2(ops.transpose(x, (0, 2, 1)))
        return ops.transpose(self.token_mlp(x, training=training), (0, 2, 1))

    def get_config(self):
        return {
            **super().get_config(),
            "channel_mlp_dim": self.channel_mlp_dim,
            "token_mlp_dim": self.token_mlp_dim,
            "dropout_rate": self.dropout_rate,
            "layer_norm_epsilon": self.layer_norm_epsilon,
        }

    def _norm(self, name):
        return keras.layers.LayerNormalization(
            epsilon=self.layer_norm_epsilon, dtype=self.dtype_policy, name=name
        )

    def _mlp(self, hidden_dim, name):
        return MLP(
            hidden_dim,
            dropout_rate=self.dropout_rate,
            kernel_initializer=_normal(),
            dtype=self.dtype_policy,
            name=name,
        )


def _normal():
    return keras.initializers.RandomNormal(stddev=0.02)


def _size(patch_size, num_layers, hidden_dim, image_side=224, position_grid=(14, 14)):
    return {
        "image_shape": (image_side, image_side, 3),
        "patch_size": patch_size,
        "num_layers": num_layers,
        "hidden_dim": hidden_dim,
        "channel_mlp_dim": 4 * hidden_dim,
        "position_grid": position_grid,
    }


def _grid_positions(table):
    """(1, C, height, width) as (height, width, C)."""
    return table[0].transpose(1, 2, 0)


def _published_positions(table, model):
    return table.transpose(2, 0, 1)[None]


@keras.saving.register_keras_serializable("keras_mlp")
class FFOnly(VisionModel):
    """FF-only network (Melas-Kyriazi, arXiv:2105.02723), as a functional Keras model.

    Images (B, H, W, channels), pixels in [0, 255] as uint8 or float, to float32 logits
    (B, num_classes). A built model takes one image size: its token MLPs have N = 1 + h * w inputs,
    the class token and the grid.

    Args:
        image_shape: (H, W, channels); H and W multiples of the patch.
        patch_size: side P of a patch in pixels, or (height, width).
        num_layers: number of blocks.
        hidden_dim: channels C of a token.
        channel_mlp_dim: hidden width of the channel MLPs.
        token_mlp_dim: hidden width of the token MLPs; None for the published 4 N.
        position_grid: (height, width) of the stored positions, or one number for both; None for
            the grid of the tokens. Where it differs from that grid, as in the published
            "linear_large", positions are interpolated in every call.
        num_classes: number of logits.
        dropout_rate: in [0, 1), behind the positions and inside the MLPs. Published: 0.1.
        drop_path_rate: in [0, 1), of the last block; grows linearly from 0 in the first.
        layer_norm_epsilon: of all LayerNorms.
        include_top: False ends in features instead of logits.
        pooling: "token" for the class token, "avg" for the mean over the grid, features (B, C);
            with `include_top=False` also None for the grid (B, h, w, C).
        include_preprocessing: normalise pixels inside the model. False: the model takes images
            that are normalised already.
        pixel_mean, pixel_std: of that normalisation, on the [0, 1] scale; number or per channel.
            The default is ImageNet's, averaged over colours for other numbers of channels.
        remat: in training, compute the inside of every block a second time in the backward pass
            instead of keeping it: less memory, more time, the same numbers.
        name: of the model.
        dtype: Keras dtype policy, such as "mixed_bfloat16"; None for the global one.

    Raises:
        ValueError: an argument is out of range, or the patch does not divide the image.

    Example:

    >>> model = FFOnly.from_variant("nano/4", num_classes=10)
    >>> tuple(model(numpy.zeros((2, 32, 32, 3), "uint8")).shape)
    (2, 10)
    """

    variants = {
        "linear_tiny": _size(16, 12, 192),
        "linear_base": _size(16, 12, 768),
        "linear_large": _size(32, 24, 1024),
        # Ours, for small images: not in the paper.
        "nano/4": _size(4, 7, 128, image_side=32, position_grid=(8, 8)),
        "pico/4": _size(4, 4, 64, image_side=28, position_grid=(7, 7)),
        "pico/2": _size(2, 4, 64, image_side=8, position_grid=(4, 4)),
    }

    checkpoint_layouts = {
        "official": CheckpointLayout(
            {
                "stem/projection/kernel": "patch_embed.proj.weight",
                "stem/projection/bias": "patch_embed.proj.bias",
                "class_token/token": "cls_token",
                "position_embedding/class_token": "pos_encoding.cls_pos_embed",
                "position_embedding/embeddings": Converted(
                    "pos_encoding.pos_embed", _grid_positions, invert=_published_positions
                ),
                "block_{i}/norm1/gamma": "blocks.{i}.norm1.weight",
                "block_{i}/norm1/beta": "blocks.{i}.norm1.bias",
                "block_{i}/channel_mlp/fc1/kernel": "blocks.{i}.mlp1.fc1.weight",
                "block_{i}/channel_mlp/fc1/bias": "blocks.{i}.mlp1.fc1.bias",
                "block_{i}/channel_mlp/fc2/kernel": "blocks.{i}.mlp1.fc2.weight",
                "block_{i}/channel_mlp/fc2/bias": "blocks.{i}.mlp1.fc2.bias",
                "block_{i}/norm2/gamma": "blocks.{i}.norm2.weight",
                "block_{i}/norm2/beta": "blocks.{i}.norm2.bias",
                "block_{i}/token_mlp/fc1/kernel": "blocks.{i}.mlp2.fc1.weight",
                "block_{i}/token_mlp/fc1/bias": "blocks.{i}.mlp2.fc1.bias",
                "block_{i}/token_mlp/fc2/kernel": "blocks.{i}.mlp2.fc2.weight",
                "block_{i}/token_mlp/fc2/bias": "blocks.{i}.mlp2.fc2.bias",
                "norm/gamma": "norm.weight",
                "norm/beta": "norm.bias",
                "head/kernel": "head.weight",
                "head/bias": "head.bias",
            },
            torch=True,
        ),
    }

    def __init__(
        self,
        *,
        image_shape=(224, 224, 3),
        patch_size=16,
        num_layers=12,
        hidden_dim=768,
        channel_mlp_dim=3072,
        token_mlp_dim=None,
        position_grid=(14, 14),
        num_classes=1000,
        dropout_rate=0.0,
        drop_path_rate=0.0,
        layer_norm_epsilon=1e-6,
        include_top=True,
        pooling="token",
        include_preprocessing=True,
        pixel_mean=IMAGENET_MEAN,
        pixel_std=IMAGENET_STD,
        remat=False,
        name=None,
        dtype=None,
    ):
        arguments = dict(locals())  # first of all: what get_config gives back
        check_shared(arguments, class_token=True)
        image_shape = check_image_shape(image_shape)
        patch_size = check_pair("patch_size", patch_size)
        grid = patch_grid(image_shape, patch_size)
        position_grid = check_pair(
            "position_grid", grid if position_grid is None else position_grid
        )
        num_layers = check_positive_int("num_layers", num_layers)
        if token_mlp_dim is None:
            token_mlp_dim = 4 * (1 + grid[0] * grid[1])
        check_positive_int("token_mlp_dim", token_mlp_dim)
        dropout_rate = check_rate("dropout_rate", dropout_rate)
        drop_path_rate = check_rate("drop_path_rate", drop_path_rate)
        dtype = keras.dtype_policies.get(dtype)

        pixels, image = image_input(
            image_shape, include_preprocessing, pixel_mean, pixel_std, dtype
        )
        fan_in = patch_size[0] * patch_size[1] * image_shape[-1]
        x = PatchEmbedding(
            patch_size,
            hidden_dim,
            kernel_initializer=torch_uniform(fan_in),
            bias_initializer=torch_uniform(fan_in),
            dtype=dtype,
            name="stem",
        )(image)
        x = PrependClassToken(_normal(), dtype=dtype, name="class_token")(x)
        x = GridPositionEmbedding(grid, position_grid, dtype=dtype, name="position_embedding")(x)
        x = keras.layers.Dropout(dropout_rate, dtype=dtype, name="dropout")(x)
        for i, rate in enumerate(linear_ramp(drop_path_rate, num_layers)):
            x = FFOnlyBlock(
                channel_mlp_dim,
                token_mlp_dim,
                dropout_rate=dropout_rate,
                drop_path_rate=rate,
                layer_norm_epsilon=layer_norm_epsilon,
                remat=remat,
                dtype=dtype,
                name=f"block_{i}",
            )(x)
        x = keras.layers.LayerNormalization(epsilon=layer_norm_epsilon, dtype=dtype, name="norm")(x)
        outputs = feature_head(
            x,
            grid,
            include_top=include_top,
            pooling=pooling,
            num_classes=num_classes,
            dtype=dtype,
            kernel_initializer=_normal(),
            class_token=True,
        )
        super().__init__(pixels, outputs, arguments)
