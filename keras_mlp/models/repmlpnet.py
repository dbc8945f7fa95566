"""RepMLPNet (Ding et al., 2021, arXiv:2112.11081).

Stages of units: a RepMLP block, then a channel MLP, each behind a BatchNorm and around a residual.
`keras_mlp.deploy` makes the form for inference, in which the blocks have no convolution left.
"""

import keras

from keras_mlp.arguments import (
    check_image_shape,
    check_kernel_sizes,
    check_pair,
    check_positive_int,
    check_rate,
    check_shared,
    check_stages,
    patch_grid,
)
from keras_mlp.layers import ConvNormReLU, FFNBlock, RepMLPBlock
from keras_mlp.layers.initializers import torch_uniform
from keras_mlp.layers.repmlp_block import check_block
from keras_mlp.layers.stochastic_depth import linear_ramp
from keras_mlp.layers.torch_defaults import torch_batch_norm
from keras_mlp.models.base import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    VisionModel,
    feature_head,
    image_input,
)
from keras_mlp.models.block import Block
from keras_mlp.models.repmlpnet_checkpoints import official_layout


@keras.saving.register_keras_serializable("keras_mlp")
class RepMLPNetUnit(Block):
    """A RepMLP block, then a channel MLP.

    Args:
        channel_mlp_dim: hidden width of the channel MLP.
        partition_size, num_sharesets, kernel_sizes, reduction, official_reassembly, deployed: as
            for `RepMLPBlock`.
        dropout_rate: in [0, 1), inside the channel MLP.
        drop_path_rate: in [0, 1), of dropping either residual branch of a sample.
        **kwargs: `remat`, and as for `keras.layers.Layer`.

    Shapes: (B, H, W, C) -> (B, H, W, C).

    Raises:
        ValueError: an argument is out of range, or does not divide the map or its channels.

    >>> tuple(RepMLPNetUnit(32, num_sharesets=2)(numpy.ones((2, 4, 6, 8))).shape)
    (2, 4, 6, 8)
    """

    def __init__(
        self,
        channel_mlp_dim,
        partition_size=None,
        num_sharesets=1,
        kernel_sizes=(1, 3),
        reduction=4,
        official_reassembly=True,
        deployed=False,
        dropout_rate=0.0,
        drop_path_rate=0.0,
        **kwargs,
    ):
        super().__init__(drop_path_rate, **kwargs)
        self.norm1 = torch_batch_norm(self.dtype_policy, "norm1")
        self.repmlp = RepMLPBlock(
            partition_size,
            num_sharesets,
            kernel_sizes,
            reduction,
            official_reassembly,
            deployed,
            dtype=self.dtype_policy,
            name="repmlp",
        )
        self.drop_path1 = self.new_drop_path()
        self.norm2 = torch_batch_norm(self.dtype_policy, "norm2")
        self.ffn = FFNBlock(channel_mlp_dim, dropout_rate, dtype=self.dtype_policy, name="ffn")
        self.drop_path2 = self.new_drop_path()

    @property
    def deployed(self):
        """Whether the RepMLP block is in its deployed form."""
        return self.repmlp.deployed

    def build(self, input_shape):
        for layer in (self.norm1, self.repmlp, self.norm2, self.ffn):
            layer.build(input_shape)
        self.built = True

    def token_mixing(self, x, training):
        return self.repmlp(self.norm1(x, training=training), training=training)

    def channel_mixing(self, x, training):
        return self.ffn(self.norm2(x, training=training), training=training)

    def deployed_weights(self):
        """The weights of this unit's deployed form, as its `set_weights` takes them."""
        return [
            *self.norm1.get_weights(),
            *self.repmlp.deployed_weights(),
            *self.norm2.get_weights(),
            *self.ffn.get_weights(),
        ]

    def get_config(self):
        block = self.repmlp.get_config()
        names = ("partition_size", "num_sharesets", "kernel_sizes", "reduction")
        return {
            **super().get_config(),
            "channel_mlp_dim": self.ffn.hidden_dim,
            **{name: block[name] for name in (*names, "official_reassembly", "deployed")},
            "dropout_rate": self.ffn.dropout_rate,
        }


def _published(image_side, num_layers, hidden_dim, num_sharesets):
    return {
        "image_shape": (image_side, image_side, 3),
        "num_layers": num_layers,
        "hidden_dim": hidden_dim,
        "num_sharesets": num_sharesets,
    }


_T = ((64, 128, 256, 512), (1, 4, 16, 128))
_B = ((96, 192, 384, 768), (1, 4, 32, 128))
_D = ((80, 160, 320, 640), (1, 4, 16, 128))
_L = ((96, 192, 384, 768), (1, 4, 32, 256))


@keras.saving.register_keras_serializable("keras_mlp")
class RepMLPNet(VisionModel):
    """RepMLPNet (Ding et al., arXiv:2112.11081), as a functional Keras model.

    Images (B, H, W, channels), pixels in [0, 255] as uint8 or float, to float32 logits
    (B, num_classes). A built model takes one image size. The map of the first stage has H / P x
    W / P pixels; every further stage halves both.

    Train it as it is; for inference, `keras_mlp.deploy(model)` gives the same function without the
    convolutions inside the blocks. BatchNorm momentum is 0.9 and epsilon 1e-5 throughout.

    Args:
        image_shape: (H, W, channels); H and W multiples of P times 2 ** (stages - 1).
        patch_size: side P of a patch in pixels, or (height, width).
        num_layers: number of units of each stage, as a tuple.
        hidden_dim: channels of each stage, as a tuple.
        num_sharesets: matrices per block of each stage, as a tuple; each divides the channels.
        partition_size: of each stage, numbers or pairs (h, w), as a tuple; None for whole maps, as
            in all published models.
        official_reassembly: as for `RepMLPBlock`; no difference for whole maps.
        kernel_sizes: of the convolutions inside the blocks, odd.
        reduction: channels over hidden units of the global perceptrons.
        mlp_ratio: hidden width of the channel MLPs over the channels, a whole number.
        num_classes: number of logits.
        dropout_rate: in [0, 1), inside the channel MLPs. The paper's is 0.
        drop_path_rate: in [0, 1), of the last unit; grows linearly from 0 in the first, over all
            stages. The paper's is 0.
        deployed: the form for inference; see `keras_mlp.deploy`.
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
        ValueError: an argument is out of range, or does not divide what it has to.

    Example:

    >>> model = RepMLPNet.from_variant("nano/4", num_classes=10)
    >>> tuple(model(numpy.zeros((2, 32, 32, 3), "uint8")).shape)
    (2, 10)
    """

    variants = {
        "T224": _published(224, (2, 2, 6, 2), *_T),
        "B224": _published(224, (2, 2, 12, 2), *_B),
        "T256": _published(256, (2, 2, 6, 2), *_T),
        "B256": _published(256, (2, 2, 12, 2), *_B),
        "D256": _published(256, (2, 2, 18, 2), *_D),
        "L256": _published(256, (2, 2, 18, 2), *_L),
        # Ours, for small images: not in the paper.
        "nano/4": {**_published(32, (4, 6), (64, 128), (4, 16)), "patch_size": 4},
        "pico/4": {**_published(28, (6,), (64,), (4,)), "patch_size": 4},
        "pico/2": {**_published(8, (2, 4), (32, 64), (4, 16)), "patch_size": 2},
    }

    def __init__(
        self,
        *,
        image_shape=(224, 224, 3),
        patch_size=4,
        num_layers=(2, 2, 6, 2),
        hidden_dim=(64, 128, 256, 512),
        num_sharesets=(1, 4, 16, 128),
        partition_size=None,
        official_reassembly=True,
        kernel_sizes=(1, 3),
        reduction=4,
        mlp_ratio=4,
        num_classes=1000,
        dropout_rate=0.0,
        drop_path_rate=0.0,
        deployed=False,
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
        num_sharesets = check_stages("num_sharesets", num_sharesets, count=stages)
        if partition_size is None:
            partition_size = (None,) * stages
        else:
            partition_size = check_stages("partition_size", partition_size, check_pair, stages)
        mlp_ratio = check_positive_int("mlp_ratio", mlp_ratio)
        drop_path_rate = check_rate("drop_path_rate", drop_path_rate)
        check_kernel_sizes(kernel_sizes)
        grids = _stage_grids(image_shape, patch_size, stages)
        for grid, channels, *block in zip(
            grids, hidden_dim, num_sharesets, partition_size, strict=True
        ):
            check_block((None, *grid, channels), *block, reduction)
        dtype = keras.dtype_policies.get(dtype)

        pixels, x = image_input(image_shape, include_preprocessing, pixel_mean, pixel_std, dtype)
        x = ConvNormReLU(hidden_dim[0], patch_size, dtype=dtype, name="stem")(x)
        rates = iter(linear_ramp(drop_path_rate, sum(num_layers)))
        for stage, number in enumerate(num_layers):
            if stage > 0:
                embedding = f"downsample_{stage - 1}"
                x = ConvNormReLU(hidden_dim[stage], 2, dtype=dtype, name=embedding)(x)
            for block in range(number):
                x = RepMLPNetUnit(
                    mlp_ratio * hidden_dim[stage],
                    partition_size=partition_size[stage],
                    num_sharesets=num_sharesets[stage],
                    kernel_sizes=kernel_sizes,
                    reduction=reduction,
                    official_reassembly=official_reassembly,
                    deployed=deployed,
                    dropout_rate=dropout_rate,
                    drop_path_rate=next(rates),
                    remat=remat,
                    dtype=dtype,
                    name=f"stage_{stage}_block_{block}",
                )(x)
        x = torch_batch_norm(dtype, "norm")(x)
        outputs = feature_head(
            x,
            tuple(x.shape[1:3]),
            include_top=include_top,
            pooling=pooling,
            num_classes=num_classes,
            dtype=dtype,
            kernel_initializer=torch_uniform(hidden_dim[-1]),
            bias_initializer=torch_uniform(hidden_dim[-1]),
        )
        super().__init__(pixels, outputs, arguments)

    @property
    def checkpoint_layouts(self):
        kernel_sizes = check_kernel_sizes(self.kernel_sizes)
        return {"official": official_layout(len(self.num_layers), kernel_sizes)}


def _stage_grids(image_shape, patch_size, stages):
    """The (height, width) of the map of every stage; ValueError unless the halvings come out."""
    grid = patch_grid(image_shape, patch_size)
    factor = 2 ** (stages - 1)
    if grid[0] % factor or grid[1] % factor:
        raise ValueError(
            f"`image_shape`={image_shape} gives a map of {grid[0]} x {grid[1]} patches, which "
            f"{stages} stages cannot halve {stages - 1} times: both sides must be whole multiples "
            f"of {factor}."
        )
    return [(grid[0] // 2**stage, grid[1] // 2**stage) for stage in range(stages)]
