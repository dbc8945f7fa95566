"""Vision Transformer (Dosovitskiy et al., 2020, arXiv:2010.11929), the reference of the others.

Self-attention, then a channel MLP, each behind a LayerNorm and around a residual; a class token and
learned positions. DeiT (arXiv:2012.12877) is the same network with other weights.
"""

import keras

from keras_mlp.arguments import (
    check_bool,
    check_image_shape,
    check_optional,
    check_pair,
    check_positive,
    check_positive_int,
    check_rate,
    check_shared,
    patch_grid,
)
from keras_mlp.layers import (
    MLP,
    Dense,
    LayerScale,
    PatchEmbedding,
    PositionEmbedding,
    PrependClassToken,
    SelfAttention,
)
from keras_mlp.layers.self_attention import head_dim
from keras_mlp.layers.stochastic_depth import linear_ramp
from keras_mlp.models.base import VisionModel, feature_head, image_input
from keras_mlp.models.block import Block
from keras_mlp.models.vit_checkpoints import LAYOUTS


@keras.saving.register_keras_serializable("keras_mlp")
class ViTBlock(Block):
    """Self-attention over tokens, then an MLP over channels.

    Args:
        num_heads: number of attention heads; divides C.
        channel_mlp_dim: hidden width of the MLP.
        layer_scale_init_value: first value, above 0, of a learned factor per channel on both
            residual branches; None for no such factors.
        dropout_rate: in [0, 1), behind the attention and inside the MLP.
        drop_path_rate: in [0, 1), of dropping either residual branch of a sample.
        gelu_approximate: use the tanh approximation of GELU.
        layer_norm_epsilon: of both LayerNorms.
        **kwargs: `remat`, and as for `keras.layers.Layer`.

    Shapes: (B, N, C) -> (B, N, C).

    Raises:
        ValueError: an argument is out of range, or `num_heads` does not divide C.

    >>> tuple(ViTBlock(num_heads=2, channel_mlp_dim=32)(numpy.ones((2, 5, 8))).shape)
    (2, 5, 8)
    """

    def __init__(
        self,
        num_heads,
        channel_mlp_dim,
        layer_scale_init_value=None,
        dropout_rate=0.0,
        drop_path_rate=0.0,
        gelu_approximate=False,
        layer_norm_epsilon=1e-6,
        **kwargs,
    ):
        super().__init__(drop_path_rate, **kwargs)
        self.num_heads = check_positive_int("num_heads", num_heads)
        self.channel_mlp_dim = check_positive_int("channel_mlp_dim", channel_mlp_dim)
        self.layer_scale_init_value = check_optional(
            "layer_scale_init_value", layer_scale_init_value, check_positive
        )
        self.dropout_rate = check_rate("dropout_rate", dropout_rate)
        self.gelu_approximate = check_bool("gelu_approximate", gelu_approximate)
        self.layer_norm_epsilon = check_positive("layer_norm_epsilon", layer_norm_epsilon)

    def build(self, input_shape):
        policy, norm = self.dtype_policy, keras.layers.LayerNormalization
        self.norm1 = norm(epsilon=self.layer_norm_epsilon, dtype=policy, name="norm1")
        self.attention = SelfAttention(
            self.num_heads, dropout_rate=self.dropout_rate, dtype=policy, name="attention"
        )
        self.layer_scale1 = self._layer_scale("layer_scale1")
        self.drop_path1 = self.new_drop_path()
        self.norm2 = norm(epsilon=self.layer_norm_epsilon, dtype=policy, name="norm2")
        self.channel_mlp = MLP(
            self.channel_mlp_dim,
            dropout_rate=self.dropout_rate,
            gelu_approximate=self.gelu_approximate,
            kernel_initializer="glorot_uniform",
            bias_initializer=keras.initializers.RandomNormal(stddev=1e-6),
            dtype=policy,
            name="channel_mlp",
        )
        self.layer_scale2 = self._layer_scale("layer_scale2")
        self.drop_path2 = self.new_drop_path()
        for layer in (self.norm1, self.attention, self.layer_scale1):
            layer.build(input_shape)
        for layer in (self.norm2, self.channel_mlp, self.layer_scale2):
            layer.build(input_shape)
        self.built = True

    def token_mixing(self, x, training):
        return self.layer_scale1(self.attention(self.norm1(x), training=training))

    def channel_mixing(self, x, training):
        return self.layer_scale2(self.channel_mlp(self.norm2(x), training=training))

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "channel_mlp_dim": self.channel_mlp_dim,
            "layer_scale_init_value": self.layer_scale_init_value,
            "dropout_rate": self.dropout_rate,
            "gelu_approximate": self.gelu_approximate,
            "layer_norm_epsilon": self.layer_norm_epsilon,
        }

    def _layer_scale(self, name):
        if self.layer_scale_init_value is None:
            return keras.layers.Identity(dtype=self.dtype_policy, name=name)
        return LayerScale(self.layer_scale_init_value, dtype=self.dtype_policy, name=name)


def _size(patch_size, num_layers, hidden_dim, num_heads, mlp_ratio=4, image_side=224):
    return {
        "image_shape": (image_side, image_side, 3),
        "patch_size": patch_size,
        "num_layers": num_layers,
        "hidden_dim": hidden_dim,
        "num_heads": num_heads,
        "channel_mlp_dim": mlp_ratio * hidden_dim,
    }


@keras.saving.register_keras_serializable("keras_mlp")
class ViT(VisionModel):
    """Vision Transformer (Dosovitskiy et al., arXiv:2010.11929), as a functional Keras model.

    Images (B, H, W, channels), pixels in [0, 255] as uint8 or float, to float32 logits
    (B, num_classes). A built model takes one image size, that of its positions.

    The published ways to end are, besides the class token of the default:
    `class_token=False, pooling="avg"`, LayerNorm, then the mean over the grid ("gap" in Google's
    code); and `pooling="avg", norm_after_pooling=True`, the mean, then a LayerNorm (timm's
    `global_pool="avg"`), with or without a class token, which the mean leaves out.

    Args:
        image_shape: (H, W, channels); H and W multiples of the patch.
        patch_size: side P of a patch in pixels, or (height, width).
        num_layers: number of blocks.
        hidden_dim: channels C of a token.
        num_heads: number of attention heads; divides `hidden_dim`.
        channel_mlp_dim: hidden width of the MLPs.
        num_classes: number of logits.
        class_token: put a learned token in front of the grid.
        norm_after_pooling: normalise the pooled features (layer "fc_norm") instead of all tokens
            (layer "norm"); without pooling nothing is normalised then.
        representation_size: width of a tanh layer before the classifier ("pre_logits"), which the
            paper pre-trained with; None for none.
        layer_scale_init_value: first value of a learned factor per channel on the residual
            branches; None for no such factors, as in the paper.
        dropout_rate: in [0, 1), behind the positions, behind the attention and inside the MLPs.
            Google trained L/16 and H/14 with 0.1, the others with 0.
        drop_path_rate: in [0, 1), of the last block; grows linearly from 0 in the first. Kept
            branches are rescaled.
        gelu_approximate: False for the exact GELU (timm, DeiT), True for the tanh approximation
            that Google's JAX code trained with.
        layer_norm_epsilon: of all LayerNorms.
        include_top: False ends in features instead of logits.
        pooling: "token" for the class token, "avg" for the mean over the grid, features (B, C);
            with `include_top=False` also None for the grid (B, h, w, C).
        include_preprocessing: normalise pixels inside the model. False: the model takes images
            that are normalised already.
        pixel_mean, pixel_std: of that normalisation, on the [0, 1] scale; number or per channel.
            The default is that of Google's weights; DeiT's take ImageNet's.
        remat: in training, compute the inside of every block a second time in the backward pass
            instead of keeping it: less memory, more time, the same numbers.
        name: of the model.
        dtype: Keras dtype policy, such as "mixed_bfloat16"; None for the global one.

    Raises:
        ValueError: an argument is out of range, the patch does not divide the image, the heads do
            not divide the channels, or there is no class token to pool.

    Example:

    >>> model = ViT.from_variant("nano/4", num_classes=10)
    >>> tuple(model(numpy.zeros((2, 32, 32, 3), "uint8")).shape)
    (2, 10)
    """

    variants = {
        "Ti/16": _size(16, 12, 192, 3),
        "S/32": _size(32, 12, 384, 6),
        "S/16": _size(16, 12, 384, 6),
        "B/32": _size(32, 12, 768, 12),
        "B/16": _size(16, 12, 768, 12),
        "B/8": _size(8, 12, 768, 12),
        "L/32": _size(32, 24, 1024, 16),
        "L/16": _size(16, 24, 1024, 16),
        "H/14": _size(14, 32, 1280, 16),
        # Ours, for small images: not in the paper.
        "nano/4": _size(4, 6, 128, 4, image_side=32),
        "pico/4": _size(4, 5, 64, 4, image_side=28),
        "pico/2": _size(2, 4, 64, 4, mlp_ratio=2, image_side=8),
    }

    checkpoint_layouts = LAYOUTS

    def __init__(
        self,
        *,
        image_shape=(224, 224, 3),
        patch_size=16,
        num_layers=12,
        hidden_dim=768,
        num_heads=12,
        channel_mlp_dim=3072,
        num_classes=1000,
        class_token=True,
        norm_after_pooling=False,
        representation_size=None,
        layer_scale_init_value=None,
        dropout_rate=0.0,
        drop_path_rate=0.0,
        gelu_approximate=False,
        layer_norm_epsilon=1e-6,
        include_top=True,
        pooling="token",
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
        hidden_dim = check_positive_int("hidden_dim", hidden_dim)
        head_dim(hidden_dim, check_positive_int("num_heads", num_heads))
        check_optional("representation_size", representation_size, check_positive_int)
        check_optional("layer_scale_init_value", layer_scale_init_value, check_positive)
        dropout_rate = check_rate("dropout_rate", dropout_rate)
        drop_path_rate = check_rate("drop_path_rate", drop_path_rate)
        dtype = keras.dtype_policies.get(dtype)

        pixels, image = image_input(
            image_shape, include_preprocessing, pixel_mean, pixel_std, dtype
        )
        x = PatchEmbedding(patch_size, hidden_dim, dtype=dtype, name="stem")(image)
        if class_token:
            x = PrependClassToken(dtype=dtype, name="class_token")(x)
        x = PositionEmbedding(dtype=dtype, name="position_embedding")(x)
        x = keras.layers.Dropout(dropout_rate, dtype=dtype, name="dropout")(x)
        for i, rate in enumerate(linear_ramp(drop_path_rate, num_layers)):
            x = ViTBlock(
                num_heads,
                channel_mlp_dim,
                layer_scale_init_value=layer_scale_init_value,
                dropout_rate=dropout_rate,
                drop_path_rate=rate,
                gelu_approximate=gelu_approximate,
                layer_norm_epsilon=layer_norm_epsilon,
                remat=remat,
                dtype=dtype,
                name=f"block_{i}",
            )(x)
        norm = keras.layers.LayerNormalization(
            epsilon=layer_norm_epsilon,
            dtype=dtype,
            name="fc_norm" if norm_after_pooling else "norm",
        )
        after_pooling = [norm] if norm_after_pooling else []
        if representation_size is not None:
            after_pooling.append(_pre_logits(representation_size, dtype))
        outputs = feature_head(
            x if norm_after_pooling else norm(x),
            grid,
            include_top=include_top,
            pooling=pooling,
            num_classes=num_classes,
            dtype=dtype,
            kernel_initializer="zeros",
            class_token=class_token,
            after_pooling=after_pooling,
        )
        super().__init__(pixels, outputs, arguments)


def _pre_logits(representation_size, dtype):
    return Dense(
        check_positive_int("representation_size", representation_size),
        activation="tanh",
        kernel_initializer="lecun_normal",
        dtype=dtype,
        name="pre_logits",
    )
