"""ResMLP (Touvron et al., 2021, arXiv:2105.03404).

One linear map over tokens, then a channel MLP, each behind an affine map and around a residual
with a learned scale. No attention, no normalisation, no class token, no positions.
"""

import keras
import numpy as np
from keras import ops

from keras_mlp.arguments import (
    check_bool,
    check_image_shape,
    check_pair,
    check_positive,
    check_positive_int,
    check_rate,
    check_shared,
    patch_grid,
)
from keras_mlp.layers import MLP, Affine, Dense, LayerScale, PatchEmbedding
from keras_mlp.layers.initializers import torch_uniform
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
class ResMLPBlock(Block):
    """Mixes tokens by one linear map without activation, then channels by an MLP.

    Args:
        channel_mlp_dim: hidden width D_C of the channel MLP.
        layer_scale_init_value: first value, above 0, of the scales of both residual branches.
        dropout_rate: in [0, 1), inside the MLP.
        drop_path_rate: in [0, 1), of dropping either residual branch of a sample.
        gelu_approximate: use the tanh approximation of GELU.
        **kwargs: `remat`, and as for `keras.layers.Layer`.

    Shapes: (B, S, C) -> (B, S, C).

    Raises:
        ValueError: an argument is out of range.

    >>> tuple(ResMLPBlock(channel_mlp_dim=32)(numpy.ones((2, 4, 16))).shape)
    (2, 4, 16)
    """

    def __init__(
        self,
        channel_mlp_dim,
        layer_scale_init_value=0.1,
        dropout_rate=0.0,
        drop_path_rate=0.0,
        gelu_approximate=False,
        **kwargs,
    ):
        super().__init__(drop_path_rate, **kwargs)
        self.channel_mlp_dim = check_positive_int("channel_mlp_dim", channel_mlp_dim)
        self.layer_scale_init_value = check_positive(
            "layer_scale_init_value", layer_scale_init_value
        )
        self.dropout_rate = check_rate("dropout_rate", dropout_rate)
        self.gelu_approximate = check_bool("gelu_approximate", gelu_approximate)

    def build(self, input_shape):
        batch, tokens, channels = input_shape
        policy, scale = self.dtype_policy, self.layer_scale_init_value
        normal = keras.initializers.RandomNormal(stddev=0.02)
        self.norm1 = Affine(dtype=policy, name="norm1")
        self.token_linear = Dense(
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
        self.built = True

    def token_mixing(self, x, training):
        mixed = self.token_linear(ops.transpose(self.norm1(x), (0, 2, 1)))
        return self.layer_scale1(ops.transpose(mixed, (0, 2, 1)))

    def channel_mixing(self, x, training):
        return self.layer_scale2(self.channel_mlp(self.norm2(x), training=training))

    def get_config(self):
        return {
            **super().get_config(),
            "channel_mlp_dim": self.channel_mlp_dim,
            "layer_scale_init_value": self.layer_scale_init_value,
            "dropout_rate": self.dropout_rate,
            "gelu_approximate": self.gelu_approximate,
        }


def _size(patch_size, num_layers, hidden_dim, layer_scale_init_value, image_side=224):
    # In every size the channel MLP is four times as wide as the tokens.
    return {
        "image_shape": (image_side, image_side, 3),
        "patch_size": patch_size,
        "num_layers": num_layers,
        "hidden_dim": hidden_dim,
        "channel_mlp_dim": 4 * hidden_dim,
        "layer_scale_init_value": layer_scale_init_value,
    }


def _timm_affine(name):
    """A vector that timm stores as (1, 1, C)."""
    return Converted(
        name,
        lambda tensor: tensor.reshape(tensor.shape[-1]),
        invert=lambda weight, model: weight.reshape(1, 1, -1),
    )


@keras.saving.register_keras_serializable("keras_mlp")
class ResMLP(VisionModel):
    """ResMLP (Touvron et al., arXiv:2105.03404), as a functional Keras model.

    Images (B, H, W, channels), pixels in [0, 255] as uint8 or float, to float32 logits
    (B, num_classes). A built model takes one image size: its linear maps over tokens have
    S = h * w inputs.

    Args:
        image_shape: (H, W, channels); H and W multiples of the patch.
        patch_size: side P of a patch in pixels, or (height, width).
        num_layers: number of blocks.
        hidden_dim: channels C of a token.
        channel_mlp_dim: hidden width D_C of the channel MLPs.
        layer_scale_init_value: first value, above 0, of the scale of every residual branch. The
            authors' is smaller the deeper the model: 0.1, 1e-5 and 1e-6 for S12, S24 and S36.
        num_classes: number of logits.
        dropout_rate: in [0, 1), inside the MLPs.
        drop_path_rate: in [0, 1), of every block: the authors' code has no ramp over depth.
        gelu_approximate: True for the tanh approximation of GELU; published weights want False.
        include_top: False ends in features instead of logits.
        pooling: "avg" for features (B, C); with `include_top=False` also None for (B, h, w, C).
        include_preprocessing: normalise pixels inside the model. False: the model takes images
            that are normalised already.
        pixel_mean, pixel_std: of that normalisation, on the [0, 1] scale; number or per channel.
            By default ImageNet's; their averages for images that have not three channels.
        remat: in training, compute the inside of every block a second time in the backward pass
            instead of keeping it: less memory, more time, the same numbers.
        name: of the model.
        dtype: Keras dtype policy, such as "mixed_bfloat16"; None for the global one.

    Raises:
        ValueError: an argument is out of range, or the patch does not divide the image.

    Example:

    >>> model = ResMLP.from_variant("nano/4", num_classes=10)
    >>> tuple(model(numpy.zeros((2, 32, 32, 3), "uint8")).shape)
    (2, 10)
    """

    variants = {
        "S12": _size(16, 12, 384, 0.1),
        "S24": _size(16, 24, 384, 1e-5),
        "S36": _size(16, 36, 384, 1e-6),
        "B24/16": _size(16, 24, 768, 1e-6),
        "B24/8": _size(8, 24, 768, 1e-6),
        # Ours, for small images: not in the paper.
        "nano/4": _size(4, 8, 128, 0.1, image_side=32),
        "pico/4": _size(4, 6, 64, 0.1, image_side=28),
        "pico/2": _size(2, 4, 64, 0.1, image_side=8),
    }

    checkpoint_layouts = {
        "deit": CheckpointLayout(
            {
                "stem/projection/kernel": "patch_embed.proj.weight",
                "stem/projection/bias": "patch_embed.proj.bias",
                "block_{i}/norm1/alpha": "blocks.{i}.norm1.alpha",
                "block_{i}/norm1/beta": "blocks.{i}.norm1.beta",
                "block_{i}/token_linear/kernel": "blocks.{i}.attn.weight",
                "block_{i}/token_linear/bias": "blocks.{i}.attn.bias",
                "block_{i}/layer_scale1/gamma": "blocks.{i}.gamma_1",
                "block_{i}/norm2/alpha": "blocks.{i}.norm2.alpha",
                "block_{i}/norm2/beta": "blocks.{i}.norm2.beta",
                "block_{i}/channel_mlp/fc1/kernel": "blocks.{i}.mlp.fc1.weight",
                "block_{i}/channel_mlp/fc1/bias": "blocks.{i}.mlp.fc1.bias",
                "block_{i}/channel_mlp/fc2/kernel": "blocks.{i}.mlp.fc2.weight",
                "block_{i}/channel_mlp/fc2/bias": "blocks.{i}.mlp.fc2.bias",
                "block_{i}/layer_scale2/gamma": "blocks.{i}.gamma_2",
                "norm/alpha": "norm.alpha",
                "norm/beta": "norm.beta",
                "head/kernel": "head.weight",
                "head/bias": "head.bias",
            },
            torch=True,
        ),
        "timm": CheckpointLayout(
            {
                "stem/projection/kernel": "stem.proj.weight",
                "stem/projection/bias": "stem.proj.bias",
                "block_{i}/norm1/alpha": _timm_affine("blocks.{i}.norm1.alpha"),
                "block_{i}/norm1/beta": _timm_affine("blocks.{i}.norm1.beta"),
                "block_{i}/token_linear/kernel": "blocks.{i}.linear_tokens.weight",
                "block_{i}/token_linear/bias": "blocks.{i}.linear_tokens.bias",
                "block_{i}/layer_scale1/gamma": "blocks.{i}.ls1",
                "block_{i}/norm2/alpha": _timm_affine("blocks.{i}.norm2.alpha"),
                "block_{i}/norm2/beta": _timm_affine("blocks.{i}.norm2.beta"),
                "block_{i}/channel_mlp/fc1/kernel": "blocks.{i}.mlp_channels.fc1.weight",
                "block_{i}/channel_mlp/fc1/bias": "blocks.{i}.mlp_channels.fc1.bias",
                "block_{i}/channel_mlp/fc2/kernel": "blocks.{i}.mlp_channels.fc2.weight",
                "block_{i}/channel_mlp/fc2/bias": "blocks.{i}.mlp_channels.fc2.bias",
                "block_{i}/layer_scale2/gamma": "blocks.{i}.ls2",
                "norm/alpha": _timm_affine("norm.alpha"),
                "norm/beta": _timm_affine("norm.beta"),
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
        hidden_dim=384,
        channel_mlp_dim=1536,
        layer_scale_init_value=0.1,
        num_classes=1000,
        dropout_rate=0.0,
        drop_path_rate=0.0,
        gelu_approximate=False,
        include_top=True,
        pooling="avg",
        include_preprocessing=True,
        pixel_mean=IMAGENET_MEAN,
        pixel_std=IMAGENET_STD,
        remat=False,
        name=None,
        dtype=None,
    ):
        arguments = dict(locals())  # first of all: what get_config gives back
        check_shared(arguments)
        image_shape = check_image_shape(image_shape)
        patch_size = check_pair("patch_size", patch_size)
        grid = patch_grid(image_shape, patch_size)
        num_layers = check_positive_int("num_layers", num_layers)
        check_positive("layer_scale_init_value", layer_scale_init_value)
        dtype = keras.dtype_policies.get(dtype)

        pixels, image = image_input(
            image_shape, include_preprocessing, pixel_mean, pixel_std, dtype
        )
        # The authors' code leaves the convolution, and only it, at PyTorch's default.
        stem_uniform = torch_uniform(int(np.prod(patch_size)) * image_shape[-1])
        x = PatchEmbedding(
            patch_size,
            hidden_dim,
            kernel_initializer=stem_uniform,
            bias_initializer=stem_uniform.clone(),
            dtype=dtype,
            name="stem",
        )(image)
        for i in range(num_layers):
            x = ResMLPBlock(
                channel_mlp_dim,
                layer_scale_init_value,
                dropout_rate=dropout_rate,
                drop_path_rate=drop_path_rate,
                gelu_approximate=gelu_approximate,
                remat=remat,
                dtype=dtype,
                name=f"block_{i}",
            )(x)
        x = Affine(dtype=dtype, name="norm")(x)
        outputs = feature_head(
            x,
            grid,
            include_top=include_top,
            pooling=pooling,
            num_classes=num_classes,
            dtype=dtype,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.02),
        )
        super().__init__(pixels, outputs, arguments)
