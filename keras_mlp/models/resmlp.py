"""ResMLP (Touvron et al., 2021, arXiv:2105.03404).

Each block applies one linear layer over tokens, then a channel MLP, both after an affine map and
with a residual connection that has a learned scale. No attention, no normalisation, no class token,
no position embedding.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_mlp.layers import MLP, Affine, LayerScale, PatchEmbedding
from keras_mlp.layers.initializers import torch_uniform
from keras_mlp.layers.token_dense import TokenDense
from keras_mlp.layers.token_grid import IN, OUT, Grids
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
from keras_mlp.models.constructor import checked
from keras_mlp.models.timm_model import TimmModel, mixer_sizes, mlp_ratio
from keras_mlp.models.token_mixing import TokenMixing
from keras_mlp.typing import Config, DTypePolicy, ImageShape, Pair, PerChannel, Shape, Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class ResMLPBlock(Block):
    """Mixes tokens by one linear layer without activation, then channels by an MLP.

    Args:
        channel_mlp_dim: hidden width D_C of the channel MLP.
        layer_scale_init_value: initial value, above 0, of the scales of both residual branches.
        dropout_rate, drop_path_rate, gelu_approximate, **kwargs: as for `Block`.

    Shapes: (B, S, C) -> (B, S, C).

    >>> tuple(ResMLPBlock(channel_mlp_dim=32)(numpy.ones((2, 4, 16))).shape)
    (2, 4, 16)
    """

    def __init__(
        self,
        channel_mlp_dim: int,
        layer_scale_init_value: float = 0.1,
        dropout_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        gelu_approximate: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(locals())

    def build(self, input_shape: Shape) -> None:
        batch, tokens, channels = input_shape
        policy, scale = self.dtype_policy, self.layer_scale_init_value
        normal = keras.initializers.RandomNormal(stddev=0.02)
        self.norm1 = Affine(dtype=policy, name="norm1")
        self.token_linear = TokenDense(
            tokens, kernel_initializer=normal, dtype=policy, name="token_linear"
        )
        self.layer_scale1 = LayerScale(scale, dtype=policy, name="layer_scale1")
        self.drop_path1 = self.new_drop_path()
        self.norm2 = Affine(dtype=policy, name="norm2")
        self.channel_mlp = MLP(
            self.channel_mlp_dim,
            dropout_rate=self.dropout_rate,
            gelu_approximate=self.gelu_approximate,
            kernel_initializer=normal,
            dtype=policy,
            name="channel_mlp",
        )
        self.layer_scale2 = LayerScale(scale, dtype=policy, name="layer_scale2")
        self.drop_path2 = self.new_drop_path()
        self.token_linear.build((batch, channels, tokens))
        for layer in (self.norm1, self.layer_scale1, self.norm2, self.channel_mlp):
            layer.build(input_shape)
        self.layer_scale2.build(input_shape)

    def token_mixing(self, x: Tensor, training: bool | None, grids: Grids | None = None) -> Tensor:
        mixed = self.token_linear(ops.transpose(self.norm1(x), (0, 2, 1)), grids=grids)
        return self.layer_scale1(ops.transpose(mixed, (0, 2, 1)))

    def channel_mixing(self, x: Tensor, training: bool | None) -> Tensor:
        return self.layer_scale2(self.channel_mlp(self.norm2(x), training=training))


def _size(
    patch_size: int, num_layers: int, hidden_dim: int, layer_scale: float, image_side: int = 224
) -> Config:
    # In every size the channel MLP is four times as wide as the tokens.
    own = {"channel_mlp_dim": 4 * hidden_dim, "layer_scale_init_value": layer_scale}
    return size(image_side, patch_size, num_layers, hidden_dim, **own)


_DEIT = {
    "stem/projection": "patch_embed.proj",
    "block_{i}/norm1": "blocks.{i}.norm1",
    "block_{i}/token_linear": "blocks.{i}.attn",
    "block_{i}/layer_scale1/gamma": "blocks.{i}.gamma_1",
    "block_{i}/norm2": "blocks.{i}.norm2",
    "block_{i}/channel_mlp/fc1": "blocks.{i}.mlp.fc1",
    "block_{i}/channel_mlp/fc2": "blocks.{i}.mlp.fc2",
    "block_{i}/layer_scale2/gamma": "blocks.{i}.gamma_2",
    "norm": "norm",
    "head": "head",
}


def _timm() -> dict[str, str | Converted]:
    names: dict[str, str | Converted] = {
        "stem/projection": "stem.proj",
        "block_{i}/token_linear": "blocks.{i}.linear_tokens",
        "block_{i}/layer_scale1/gamma": "blocks.{i}.ls1",
        "block_{i}/channel_mlp/fc1": "blocks.{i}.mlp_channels.fc1",
        "block_{i}/channel_mlp/fc2": "blocks.{i}.mlp_channels.fc2",
        "block_{i}/layer_scale2/gamma": "blocks.{i}.ls2",
        "head": "head",
    }
    affine = {"block_{i}/norm1": "blocks.{i}.norm1", "block_{i}/norm2": "blocks.{i}.norm2"}
    for ours, published in {**affine, "norm": "norm"}.items():
        for kind in ("alpha", "beta"):
            names[f"{ours}/{kind}"] = Converted(  # which timm stores as (1, 1, C)
                f"{published}.{kind}",
                lambda tensor: tensor.reshape(tensor.shape[-1]),
                invert=lambda weight, model: weight.reshape(1, 1, -1),
            )
    return names


@keras.saving.register_keras_serializable("keras_mlp")
class ResMLP(VisionModel):
    """ResMLP (Touvron et al., arXiv:2105.03404), as a functional Keras model.

    A built model takes one image size: its linear layers over tokens have S = h * w inputs.

    Args:
        channel_mlp_dim: hidden width D_C of the channel MLPs.
        layer_scale_init_value: initial value, above 0, of the scale of every residual branch. The
            authors' is smaller the deeper the model: 0.1, 1e-5 and 1e-6 for S12, S24 and S36.
        drop_path_rate: in [0, 1), the same in every block, as in the authors' code.
        All others: see `VisionModel`.

    >>> model = ResMLP.from_variant("nano/4", num_classes=10)
    >>> tuple(model(numpy.zeros((2, 32, 32, 3), "uint8")).shape)
    (2, 10)
    """

    default_name = "resmlp"

    variants = {
        "S12": _size(16, 12, 384, 0.1),
        "S24": _size(16, 24, 384, 1e-5),
        "S36": _size(16, 36, 384, 1e-6),
        "B24/16": _size(16, 24, 768, 1e-6),
        "B24/8": _size(8, 24, 768, 1e-6),
        "nano/4": _size(4, 8, 128, 0.1, image_side=32),
        "pico/4": _size(4, 6, 64, 0.1, image_side=28),
        "pico/2": _size(2, 4, 64, 0.1, image_side=8),
    }

    token_mixing = TokenMixing(
        layers=("token_linear",),
        axes={"token_linear/kernel": (IN, OUT), "token_linear/bias": (OUT,)},
        maps=lambda block: ops.transpose(block.token_linear.kernel),
        parts={"token_linear": "token_mixing", "channel_mlp": "channel_mixing"},
    )

    checkpoint_layouts = {
        "deit": CheckpointLayout(_DEIT, torch=True, suffixes={"alpha": "alpha", "beta": "beta"}),
        "timm": CheckpointLayout(_timm(), torch=True),
    }

    timm = TimmModel(
        {
            "S12": "resmlp_12_224",
            "S24": "resmlp_24_224",
            "S36": "resmlp_36_224",
            "B24/8": "resmlp_big_24_224",
        },
        "timm.models.mlp_mixer.MlpMixer",
        lambda model: mixer_sizes(
            model,
            mlp_ratio(model.channel_mlp_dim, model.hidden_dim),
            block_layer="timm.models.mlp_mixer.ResBlock",
            norm_layer="timm.models.mlp_mixer.Affine",
        ),
    )

    def __init__(
        self,
        *,
        image_shape: ImageShape = (224, 224, 3),
        patch_size: Pair = 16,
        num_layers: int = 12,
        hidden_dim: int = 384,
        channel_mlp_dim: int = 1536,
        layer_scale_init_value: float = 0.1,
        num_classes: int = 1000,
        dropout_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        gelu_approximate: bool = False,
        include_top: bool = True,
        pooling: str | None = "avg",
        classifier_activation: str | None = None,
        include_preprocessing: bool = True,
        pixel_mean: PerChannel = IMAGENET_MEAN,
        pixel_std: PerChannel = IMAGENET_STD,
        remat: bool = False,
        name: str | None = None,
        dtype: DTypePolicy = None,
    ) -> None:
        arguments = checked(locals())
        pixels, x = image_input(arguments)
        # The authors' code leaves the convolution, and only it, at PyTorch's default.
        initializer = torch_uniform(int(np.prod(arguments.patch_size)) * x.shape[-1])
        x = PatchEmbedding(
            patch_size,
            hidden_dim,
            kernel_initializer=initializer,
            bias_initializer=initializer.clone(),
            dtype=arguments.dtype,
            name="stem",
        )(x)
        for i in range(num_layers):
            x = ResMLPBlock(**arguments.of(ResMLPBlock), name=f"block_{i}")(x)
        x = Affine(dtype=arguments.dtype, name="norm")(x)
        normal = keras.initializers.RandomNormal(stddev=0.02)
        outputs = feature_head(x, arguments, kernel_initializer=normal)
        super().__init__(pixels, outputs, arguments)
