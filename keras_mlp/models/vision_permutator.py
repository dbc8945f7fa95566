"""Vision Permutator, ViP (Hou et al., 2021, arXiv:2106.12368).

Blocks of a Permute-MLP, which mixes along height, width and channels, and a channel MLP, each
behind a LayerNorm and around a residual, in stages. Square images only: the side of the map has to
divide the channels of every stage.
"""

import math
import numbers

import keras

from keras_mlp.arguments import (
    check_bool,
    check_image_shape,
    check_pair,
    check_positive,
    check_positive_int,
    check_rate,
    check_shared,
    check_stages,
    patch_grid,
)
from keras_mlp.layers import MLP, PatchEmbedding, PermuteMLP
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
from keras_mlp.models.vision_permutator_checkpoints import official_layout


@keras.saving.register_keras_serializable("keras_mlp")
class PermutatorBlock(Block):
    """A Permute-MLP, then a channel MLP.

    Args:
        channel_mlp_dim: hidden width of the channel MLP.
        weighted, qkv_bias: as for `PermuteMLP`.
        skip_lam: number above 0 that divides both branches before they are added.
        dropout_rate: in [0, 1), after the Permute-MLP and inside the channel MLP.
        drop_path_rate: in [0, 1), of dropping either residual branch of a sample.
        layer_norm_epsilon: of both LayerNorms.
        **kwargs: `remat`, and as for `keras.layers.Layer`.

    Shapes: (B, h, h, C) -> (B, h, h, C), with h a divisor of C.

    Raises:
        ValueError: an argument is out of range, or the map is not square, or its side does not
            divide the channels.

    >>> tuple(PermutatorBlock(channel_mlp_dim=24)(numpy.ones((2, 4, 4, 8))).shape)
    (2, 4, 4, 8)
    """

    def __init__(
        self,
        channel_mlp_dim,
        weighted=True,
        qkv_bias=False,
        skip_lam=1.0,
        dropout_rate=0.0,
        drop_path_rate=0.0,
        layer_norm_epsilon=1e-5,
        **kwargs,
    ):
        super().__init__(drop_path_rate, **kwargs)
        self.channel_mlp_dim = check_positive_int("channel_mlp_dim", channel_mlp_dim)
        self.weighted = check_bool("weighted", weighted)
        self.qkv_bias = check_bool("qkv_bias", qkv_bias)
        self.skip_lam = check_positive("skip_lam", skip_lam)
        self.dropout_rate = check_rate("dropout_rate", dropout_rate)
        self.layer_norm_epsilon = check_positive("layer_norm_epsilon", layer_norm_epsilon)

    def build(self, input_shape):
        norm = {"epsilon": self.layer_norm_epsilon, "dtype": self.dtype_policy}
        mlp = {
            "dropout_rate": self.dropout_rate,
            "kernel_initializer": keras.initializers.RandomNormal(stddev=0.02),
            "dtype": self.dtype_policy,
        }
        self.norm1 = keras.layers.LayerNormalization(**norm, name="norm1")
        self.permute_mlp = PermuteMLP(self.weighted, self.qkv_bias, **mlp, name="permute_mlp")
        self.drop_path1 = self.new_drop_path()
        self.norm2 = keras.layers.LayerNormalization(**norm, name="norm2")
        self.channel_mlp = MLP(self.channel_mlp_dim, **mlp, name="channel_mlp")
        self.drop_path2 = self.new_drop_path()
        for layer in (self.norm1, self.permute_mlp, self.norm2, self.channel_mlp):
            layer.build(input_shape)
        self.built = True

    def token_mixing(self, x, training):
        return self._scaled(self.permute_mlp(self.norm1(x), training=training))

    def channel_mixing(self, x, training):
        return self._scaled(self.channel_mlp(self.norm2(x), training=training))

    def _scaled(self, branch):
        return branch if self.skip_lam == 1 else branch / self.skip_lam

    def get_config(self):
        return {
            **super().get_config(),
            "channel_mlp_dim": self.channel_mlp_dim,
            "weighted": self.weighted,
            "qkv_bias": self.qkv_bias,
            "skip_lam": self.skip_lam,
            "dropout_rate": self.dropout_rate,
            "layer_norm_epsilon": self.layer_norm_epsilon,
        }


def _published(patch_size, num_layers, hidden_dim, downsample):
    return {
        "patch_size": patch_size,
        "num_layers": num_layers,
        "hidden_dim": hidden_dim,
        "downsample": downsample,
    }


def _small(image_side, *published):
    return {"image_shape": (image_side, image_side, 3), **_published(*published)}


@keras.saving.register_keras_serializable("keras_mlp")
class VisionPermutator(VisionModel):
    """Vision Permutator (Hou et al., arXiv:2106.12368), as a functional Keras model.

    Images (B, H, W, channels), pixels in [0, 255] as uint8 or float, to float32 logits
    (B, num_classes). The map of every stage must be square with a side that divides the stage's
    channels; a built model takes one image size.

    Args:
        image_shape: (H, W, channels).
        patch_size: side P of a patch in pixels, or (height, width).
        num_layers: number of blocks of each stage, as a tuple.
        hidden_dim: channels of each stage, as a tuple.
        downsample: for each stage but the last whether the map is halved behind it, as a tuple.
            Where only the channels change, a 1 x 1 convolution changes them.
        mlp_ratio: hidden width of the channel MLPs over the channels; number or one per stage.
        weighted, qkv_bias: as for `PermuteMLP`. The published models are weighted, without bias.
        skip_lam: number above 0 that divides every branch before it is added.
        num_classes: number of logits.
        dropout_rate: in [0, 1), after the Permute-MLPs and inside the channel MLPs. The paper's
            is 0.
        drop_path_rate: in [0, 1), of the last block; grows linearly from 0 in the first, over all
            stages.
        layer_norm_epsilon: of all LayerNorms.
        include_top: False ends in features instead of logits.
        pooling: "avg" for features (B, C); with `include_top=False` also None for (B, h, w, C).
        include_preprocessing: normalise pixels inside the model. False: the model takes images
            that are normalised already.
        pixel_mean, pixel_std: of that normalisation, on the [0, 1] scale; number or per channel.
            The default is ImageNet's (for other than three channels, its average).
        remat: in training, compute the inside of every block a second time in the backward pass
            instead of keeping it: less memory, more time, the same numbers.
        name: of the model.
        dtype: Keras dtype policy, such as "mixed_bfloat16"; None for the global one.

    Raises:
        ValueError: an argument is out of range, or the image does not fit (the message lists the
            sizes that would).

    Example:

    >>> model = VisionPermutator.from_variant("nano/4", num_classes=10)
    >>> tuple(model(numpy.zeros((2, 32, 32, 3), "uint8")).shape)
    (2, 10)
    """

    variants = {
        "S/14": _published(14, (4, 3, 8, 3), (384, 384, 384, 384), (False, False, False)),
        "S/7": _published(7, (4, 3, 8, 3), (192, 384, 384, 384), (True, False, False)),
        "M/7": _published(7, (4, 3, 14, 3), (256, 256, 512, 512), (False, True, False)),
        "L/7": _published(7, (8, 8, 16, 4), (256, 512, 512, 512), (True, False, False)),
        # Ours, for small images: not in the paper.
        "nano/4": _small(32, 4, (3, 5), (64, 128), (True,)),
        "pico/4": _small(28, 4, (6,), (56,), ()),
        "pico/2": _small(8, 2, (3,), (64,), ()),
    }

    def __init__(
        self,
        *,
        image_shape=(224, 224, 3),
        patch_size=7,
        num_layers=(4, 3, 8, 3),
        hidden_dim=(192, 384, 384, 384),
        downsample=(True, False, False),
        mlp_ratio=3,
        weighted=True,
        qkv_bias=False,
        skip_lam=1.0,
        num_classes=1000,
        dropout_rate=0.0,
        drop_path_rate=0.0,
        layer_norm_epsilon=1e-5,
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
        num_layers = check_stages("num_layers", num_layers)
        stages = len(num_layers)
        hidden_dim = check_stages("hidden_dim", hidden_dim, count=stages)
        downsample = _check_downsample(downsample, stages - 1)
        mlp_ratio = (mlp_ratio,) * stages if isinstance(mlp_ratio, numbers.Real) else mlp_ratio
        mlp_ratio = check_stages("mlp_ratio", mlp_ratio, check_positive, stages)
        drop_path_rate = check_rate("drop_path_rate", drop_path_rate)
        grid = patch_grid(image_shape, patch_size)
        sides = _working_sides(hidden_dim, downsample)
        if grid[0] != grid[1] or grid[0] not in sides:
            raise ValueError(_misfit(image_shape, patch_size, grid, hidden_dim, sides))
        dtype = keras.dtype_policies.get(dtype)

        pixels, image = image_input(
            image_shape, include_preprocessing, pixel_mean, pixel_std, dtype
        )
        x = _embedding(patch_size, hidden_dim[0], image, dtype, "stem")
        rates = iter(linear_ramp(drop_path_rate, sum(num_layers)))
        for stage, number in enumerate(num_layers):
            for block in range(number):
                x = PermutatorBlock(
                    max(int(hidden_dim[stage] * mlp_ratio[stage]), 1),
                    weighted=weighted,
                    qkv_bias=qkv_bias,
                    skip_lam=skip_lam,
                    dropout_rate=dropout_rate,
                    drop_path_rate=next(rates),
                    layer_norm_epsilon=layer_norm_epsilon,
                    remat=remat,
                    dtype=dtype,
                    name=f"stage_{stage}_block_{block}",
                )(x)
            if _has_transition(stage, hidden_dim, downsample):
                factor, width = 2 if downsample[stage] else 1, hidden_dim[stage + 1]
                x = _embedding((factor, factor), width, x, dtype, f"downsample_{stage}")
        x = keras.layers.LayerNormalization(epsilon=layer_norm_epsilon, dtype=dtype, name="norm")(x)
        outputs = feature_head(
            x,
            tuple(x.shape[1:3]),
            include_top=include_top,
            pooling=pooling,
            num_classes=num_classes,
            dtype=dtype,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.02),
        )
        super().__init__(pixels, outputs, arguments)

    @property
    def checkpoint_layouts(self):
        transitions = [
            _has_transition(stage, self.hidden_dim, self.downsample)
            for stage in range(len(self.num_layers))
        ]
        return {"official": official_layout(transitions)}


def _embedding(patch_size, hidden_dim, image, dtype, name):
    """A convolution whose stride is its size, with PyTorch's initial values."""
    initializer = torch_uniform(patch_size[0] * patch_size[1] * image.shape[-1])
    return PatchEmbedding(
        patch_size,
        hidden_dim,
        kernel_initializer=initializer,
        bias_initializer=initializer.clone(),
        flatten=False,
        dtype=dtype,
        name=name,
    )(image)


def _has_transition(stage, hidden_dim, downsample):
    is_last = stage == len(hidden_dim) - 1
    return not is_last and (downsample[stage] or hidden_dim[stage] != hidden_dim[stage + 1])


def _check_downsample(value, count):
    is_fit = isinstance(value, (tuple, list)) and len(value) == count
    if not is_fit or not all(isinstance(each, bool) for each in value):
        raise ValueError(
            f"`downsample` must be a tuple of {count} bools, one per stage but the last, got "
            f"{value!r}."
        )
    return tuple(value)


def _working_sides(hidden_dim, downsample):
    """The sides of the first map that divide the channels of every stage."""
    factors = [2 ** sum(downsample[:stage]) for stage in range(len(hidden_dim))]
    # In a stage the side is the first one over the stage's factor.
    common = math.gcd(*(channels * f for channels, f in zip(hidden_dim, factors, strict=True)))
    small = [side for side in range(1, math.isqrt(common) + 1) if common % side == 0]
    sides = {*small, *(common // side for side in small)}
    return sorted(side for side in sides if side % factors[-1] == 0)


def _misfit(image_shape, patch_size, grid, hidden_dim, sides):
    sizes = ", ".join(f"{side * patch_size[0]} x {side * patch_size[1]}" for side in sides)
    allowed = f"Images that fit: {sizes}." if sizes else "No image fits them."
    return (
        f"`image_shape`={image_shape} with `patch_size`={patch_size} gives a map of {grid[0]} x "
        f"{grid[1]}: Vision Permutator needs a square map whose side divides the channels of every "
        f"stage, here `hidden_dim`={hidden_dim}. {allowed}"
    )
