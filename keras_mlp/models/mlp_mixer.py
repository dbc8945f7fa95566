"""MLP-Mixer (Tolstikhin et al., 2021, arXiv:2105.01601).

A token MLP, then a channel MLP, each behind a LayerNorm and around a residual. No attention, no
class token, no positions.
"""

import keras

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
from keras_mlp.layers import MLP, PatchEmbedding, TokenMLP
from keras_mlp.layers.stochastic_depth import linear_ramp
from keras_mlp.models.base import VisionModel, feature_head, image_input
from keras_mlp.models.block import Block
from keras_mlp.models.mlp_mixer_checkpoints import LAYOUTS


@keras.saving.register_keras_serializable("keras_mlp")
class MixerBlock(Block):
    """Mixes tokens, then channels.

    Args:
        token_mlp_dim: hidden width D_S of the token MLP.
        channel_mlp_dim: hidden width D_C of the channel MLP.
        dropout_rate: in [0, 1), inside both MLPs.
        drop_path_rate: in [0, 1), of dropping either residual branch of a sample.
        gelu_approximate: use the tanh approximation of GELU.
        layer_norm_epsilon: of both LayerNorms.
        **kwargs: `remat`, and as for `keras.layers.Layer`.

    Shapes: (B, S, C) -> (B, S, C).

    Raises:
        ValueError: an argument is out of range.

    >>> tuple(MixerBlock(token_mlp_dim=8, channel_mlp_dim=32)(numpy.ones((2, 4, 16))).shape)
    (2, 4, 16)
    """

    def __init__(
        self,
        token_mlp_dim,
        channel_mlp_dim,
        dropout_rate=0.0,
        drop_path_rate=0.0,
        gelu_approximate=False,
        layer_norm_epsilon=1e-6,
        **kwargs,
    ):
        super().__init__(drop_path_rate, **kwargs)
        self.token_mlp_dim = check_positive_int("token_mlp_dim", token_mlp_dim)
        self.channel_mlp_dim = check_positive_int("channel_mlp_dim", channel_mlp_dim)
        self.dropout_rate = check_rate("dropout_rate", dropout_rate)
        self.gelu_approximate = check_bool("gelu_approximate", gelu_approximate)
        self.layer_norm_epsilon = check_positive("layer_norm_epsilon", layer_norm_epsilon)

    def build(self, input_shape):
        norm = {"epsilon": self.layer_norm_epsilon, "dtype": self.dtype_policy}
        mlp = {
            "dropout_rate": self.dropout_rate,
            "gelu_approximate": self.gelu_approximate,
            "dtype": self.dtype_policy,
        }
        self.norm1 = keras.layers.LayerNormalization(**norm, name="norm1")
        self.token_mlp = TokenMLP(self.token_mlp_dim, **mlp, name="token_mlp")
        self.drop_path1 = self.new_drop_path()
        self.norm2 = keras.layers.LayerNormalization(**norm, name="norm2")
        self.channel_mlp = MLP(self.channel_mlp_dim, **mlp, name="channel_mlp")
        self.drop_path2 = self.new_drop_path()
        for layer in (self.norm1, self.token_mlp, self.norm2, self.channel_mlp):
            layer.build(input_shape)
        self.built = True

    def token_mixing(self, x, training):
        return self.token_mlp(self.norm1(x), training=training)

    def channel_mixing(self, x, training):
        return self.channel_mlp(self.norm2(x), training=training)

    def get_config(self):
        return {
            **super().get_config(),
            "token_mlp_dim": self.token_mlp_dim,
            "channel_mlp_dim": self.channel_mlp_dim,
            "dropout_rate": self.dropout_rate,
            "gelu_approximate": self.gelu_approximate,
            "layer_norm_epsilon": self.layer_norm_epsilon,
        }


def _published(patch_size, num_layers, hidden_dim):
    # In every published size the token MLP is as wide as half the channels, whatever the grid.
    return {
        "patch_size": patch_size,
        "num_layers": num_layers,
        "hidden_dim": hidden_dim,
        "token_mlp_dim": hidden_dim // 2,
        "channel_mlp_dim": 4 * hidden_dim,
    }


def _small(image_side, patch_size, num_layers, hidden_dim, token_mlp_dim, channel_mlp_dim):
    return {
        "image_shape": (image_side, image_side, 3),
        "patch_size": patch_size,
        "num_layers": num_layers,
        "hidden_dim": hidden_dim,
        "token_mlp_dim": token_mlp_dim,
        "channel_mlp_dim": channel_mlp_dim,
    }


@keras.saving.register_keras_serializable("keras_mlp")
class MLPMixer(VisionModel):
    """MLP-Mixer (Tolstikhin et al., arXiv:2105.01601), as a functional Keras model.

    Images (B, H, W, channels), pixels in [0, 255] as uint8 or float, to float32 logits
    (B, num_classes). A built model takes one image size: its token MLPs have S = h * w inputs.

    Args:
        image_shape: (H, W, channels); H and W multiples of the patch.
        patch_size: side P of a patch in pixels, or (height, width).
        num_layers: number of Mixer blocks.
        hidden_dim: channels C of a token.
        token_mlp_dim: hidden width D_S of the token MLPs.
        channel_mlp_dim: hidden width D_C of the channel MLPs.
        num_classes: number of logits.
        dropout_rate: in [0, 1), inside the MLPs. The paper's is 0.
        drop_path_rate: in [0, 1), of the last block; grows linearly from 0 in the first. Kept
            branches are rescaled, as timm does (big_vision does not).
        gelu_approximate: False for the exact GELU (timm), True for the tanh approximation that
            Google's JAX code trained with.
        layer_norm_epsilon: of all LayerNorms.
        include_top: False ends in features instead of logits.
        pooling: "avg" for features (B, C); with `include_top=False` also None for (B, h, w, C).
        include_preprocessing: normalise pixels inside the model. False: the model takes images
            that are normalised already.
        pixel_mean, pixel_std: of that normalisation, on the [0, 1] scale; number or per channel.
        remat: in training, compute the inside of every block a second time in the backward pass
            instead of keeping it: less memory, more time, the same numbers.
        name: of the model.
        dtype: Keras dtype policy, such as "mixed_bfloat16"; None for the global one.

    Raises:
        ValueError: an argument is out of range, or the patch does not divide the image.

    Example:

    >>> model = MLPMixer.from_variant("nano/4", num_classes=10)
    >>> tuple(model(numpy.zeros((2, 32, 32, 3), "uint8")).shape)
    (2, 10)
    """

    variants = {
        "S/32": _published(32, 8, 512),
        "S/16": _published(16, 8, 512),
        "B/32": _published(32, 12, 768),
        "B/16": _published(16, 12, 768),
        "L/32": _published(32, 24, 1024),
        "L/16": _published(16, 24, 1024),
        "H/14": _published(14, 32, 1280),
        # Ours, for small images: not in the paper.
        "nano/4": _small(32, 4, 8, 128, 64, 512),
        "pico/4": _small(28, 4, 6, 64, 64, 256),
        "pico/2": _small(8, 2, 4, 64, 32, 256),
    }

    checkpoint_layouts = LAYOUTS

    def __init__(
        self,
        *,
        image_shape=(224, 224, 3),
        patch_size=16,
        num_layers=12,
        hidden_dim=768,
        token_mlp_dim=384,
        channel_mlp_dim=3072,
        num_classes=1000,
        dropout_rate=0.0,
        drop_path_rate=0.0,
        gelu_approximate=False,
        layer_norm_epsilon=1e-6,
        include_top=True,
        pooling="avg",
        include_preprocessing=True,
        pixel_mean=0.5,
        pixel_std=0.5,
        remat=False,
        name=None,
        dtype=None,
    ):
        arguments = dict(locals())  # first of all: what get_config gives back
        check_shared(arguments)
        image_shape = check_image_shape(image_shape)
        grid = patch_grid(image_shape, check_pair("patch_size", patch_size))
        num_layers = check_positive_int("num_layers", num_layers)
        token_mlp_dim = check_positive_int("token_mlp_dim", token_mlp_dim)
        drop_path_rate = check_rate("drop_path_rate", drop_path_rate)
        dtype = keras.dtype_policies.get(dtype)

        pixels, image = image_input(
            image_shape, include_preprocessing, pixel_mean, pixel_std, dtype
        )
        x = PatchEmbedding(patch_size, hidden_dim, dtype=dtype, name="stem")(image)
        for i, rate in enumerate(linear_ramp(drop_path_rate, num_layers)):
            x = MixerBlock(
                token_mlp_dim,
                channel_mlp_dim,
                dropout_rate=dropout_rate,
                drop_path_rate=rate,
                gelu_approximate=gelu_approximate,
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
            kernel_initializer="zeros",
        )
        super().__init__(pixels, outputs, arguments)
