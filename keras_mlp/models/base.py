"""What every architecture shares: pixels in, head out, variants, and a config that rebuilds it."""

import inspect

import keras
import numpy as np

from keras_mlp.arguments import (
    check_channel_values,
    check_choice,
    check_pooling,
    check_positive_int,
)
from keras_mlp.layers import ClassToken, GridTokens, PixelNormalization
from keras_mlp.models.feature_taps import feature_model
from keras_mlp.models.layer_changes import KINDS, changes_of, make_changes, quantizing
from keras_mlp.models.replicated_model import ReplicatedModel

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class VisionModel(ReplicatedModel):
    """Base of the architectures: a functional Keras model that remembers its arguments.

    A subclass builds its graph between `image_input` and `feature_head` and hands it, with its own
    arguments, to this constructor. Each argument is then an attribute of the same name and part of
    `get_config`.

    Attributes:
        variants: from the paper's name of a size to the arguments that make it.
        checkpoint_layouts: from the name of a source to how it names these weights.
    """

    variants = {}
    checkpoint_layouts = {}

    def __init__(self, inputs, outputs, arguments):
        super().__init__(inputs, outputs, name=arguments["name"])
        # Keras restores the policy of a functional model only if it is set after construction.
        self.dtype_policy = keras.dtype_policies.get(arguments["dtype"])
        for name in self._argument_names():
            setattr(self, name, _plain(arguments[name]))

    @classmethod
    def from_variant(cls, variant, **overrides):
        """Builds a published size by its name.

        Args:
            variant: a key of `variants`, such as "B/16".
            **overrides: arguments of the constructor that differ from the published ones.

        Returns:
            A new model with random weights.

        Raises:
            ValueError: there is no such variant (the nearest is named), or an argument is wrong.
        """
        check_choice("variant", variant, cls.variants)
        return cls(**{**cls.variants[variant], **overrides})

    # Set by `keras_mlp.weights`, which imports the models and which they must not import.
    preset_builder = None

    @classmethod
    def from_preset(cls, preset, **arguments):
        """Builds a model with published weights.

        The file is downloaded once, into `cache_dir`, $KERAS_MLP_CACHE or ~/.keras/keras_mlp; there
        it has the preset's name, and one that lies there already is taken. The model normalises
        pixels and computes GELU as the weights want it.

        Args:
            preset: a name that `keras_mlp.presets()` lists, such as "mixer_b16_224.goog_in21k"; or
                the path of a file in a published naming.
            **arguments: of the constructor, where they shall differ from the published ones, and
                `variant`, a key of `variants`, for the path of a file;
                `file`, path of the preset's file where you have it;
                `cache_dir`, folder of downloaded files;
                `verbose`, False for no word on stderr.
                With another `num_classes` the classifier is new, and everything else is loaded;
                `include_top=False` loads everything but the classifier. With another
                `image_shape` the published weights are made to fit, as `with_image_shape` does. So
                are those of a file, given its `variant`: a file of `save_checkpoint` says for which
                images it is, any other is taken to be for square ones.

        Returns:
            A new model.

        Raises:
            ValueError: there is no such preset (the nearest is named), an argument is wrong, or the
                file is not one of this model.
            OSError: the file cannot be had; the message says what to do.

        >>> MLPMixer.from_preset("mixer_b16_224.goog_in21k", num_classes=10)  # doctest: +SKIP
        """
        return cls.preset_builder(cls, preset, **arguments)

    def features(self, names, grid=True):
        """A functional model to what this model computes on its way, with the same weights.

        Args:
            names: list of names of layers ("stem", "block_3", "norm": any of `layers`), and of the
                branches of blocks, "<block>/token_mixing" and "<block>/channel_mixing": what a
                branch adds to the residual, before it is dropped. The token mixing of `GMLP`,
                whose blocks have one branch, is what leaves the gate.
            grid: True for maps (B, h, w, C) where a layer gives tokens, without the class token.
                False for the outputs as they are.

        Returns:
            A `keras.Model` from the same pixels to a dict from name to tensor. It shares the layers
            of this model: training one trains the other.

        Raises:
            ValueError: there is no such name (the nearest is given), or one is given twice, or
                none.

        >>> model = MLPMixer.from_variant("pico/2")
        >>> features = model.features(["block_1", "block_3/token_mixing"])
        >>> tuple(features(numpy.zeros((2, 8, 8, 3), "uint8"))["block_1"].shape)
        (2, 4, 4, 64)
        """
        return feature_model(self, names, grid)

    @classmethod
    def _argument_names(cls):
        parameters = inspect.signature(cls.__init__).parameters
        return [name for name in parameters if name not in ("self", "name", "dtype")]

    def get_config(self):
        config = {name: getattr(self, name) for name in self._argument_names()}
        config["name"] = self.name
        config["dtype"] = keras.dtype_policies.serialize(self.dtype_policy)
        return {**config, **changes_of(self)}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        changes = {kind: config.pop(kind) for kind in KINDS if kind in config}
        model = cls(**config)
        make_changes(model, changes)
        return model

    def quantize(self, mode=None, config=None, filters=None, **kwargs):
        with quantizing():
            super().quantize(mode, config, filters, **kwargs)


def _plain(value):
    """An argument in plain Python: numpy's numbers as Python's, lists and arrays as tuples."""
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    return tuple(map(_plain, value)) if isinstance(value, (tuple, list)) else value


def image_input(image_shape, include_preprocessing, pixel_mean, pixel_std, dtype):
    """The model's input, and the normalised image that its stem takes.

    `IMAGENET_MEAN` and `IMAGENET_STD`, the default of many architectures, are averaged over the
    three colours where the images have another number of channels.

    Returns:
        (input, image), both symbolic, of shape (B, H, W, C).
    """
    channels = image_shape[-1]
    mean, std = (_for_channels(value, channels) for value in (pixel_mean, pixel_std))
    # Their scale is [0, 1]: a mean of 127 is a mistake, and a deviation near 0 divides by it.
    mean = check_channel_values("pixel_mean", mean, channels, lowest=0.0, highest=1.0)
    std = check_channel_values("pixel_std", std, channels, lowest=1e-4, highest=1.0)
    pixels = keras.Input(image_shape, name="pixels")
    if not include_preprocessing:
        return pixels, pixels
    return pixels, PixelNormalization(mean, std, dtype=dtype, name="normalize")(pixels)


def _for_channels(value, channels):
    if channels != 3 and _plain(value) in (IMAGENET_MEAN, IMAGENET_STD):
        return float(np.mean(value))
    return value


def _average(tokens):
    is_map = len(tokens.shape) == 4
    return keras.layers.GlobalAveragePooling2D if is_map else keras.layers.GlobalAveragePooling1D


def feature_head(
    tokens,
    grid,
    *,
    include_top,
    pooling,
    num_classes,
    dtype,
    kernel_initializer,
    bias_initializer="zeros",
    class_token=False,
    after_pooling=(),
):
    """Logits, pooled features or a feature map, as the arguments ask.

    Args:
        tokens: symbolic, (B, S, C), or (B, 1 + S, C) with a class token in front; or a map
            (B, h, w, C).
        grid: (h, w) with h * w = S.
        include_top: end in a linear classifier; then `pooling` must not be None.
        pooling: "avg" for the mean over the grid, (B, C); "token" for the class token, (B, C);
            None for the map (B, h, w, C).
        num_classes: K.
        dtype: policy of the model; logits are float32 under every policy.
        kernel_initializer, bias_initializer: of the classifier.
        class_token: whether there is one.
        after_pooling: layers that the pooled features go through before the classifier.

    Returns:
        Symbolic logits (B, K) or features.
    """
    check_pooling(pooling, include_top, class_token)
    if pooling == "token":
        pooled = ClassToken(dtype=dtype, name="pool")(tokens)
    else:
        if class_token:
            tokens = GridTokens(dtype=dtype, name="grid_tokens")(tokens)
        if pooling is None:
            shape = (*grid, tokens.shape[-1])
            return keras.layers.Reshape(shape, dtype=dtype, name="features")(tokens)
        pooled = _average(tokens)(data_format="channels_last", dtype=dtype, name="pool")(tokens)
    for layer in after_pooling:
        pooled = layer(pooled)
    if not include_top:
        return pooled
    head = keras.layers.Dense(
        check_positive_int("num_classes", num_classes),
        kernel_initializer=kernel_initializer,
        bias_initializer=bias_initializer,
        dtype="float32",
        name="head",
    )
    return head(pooled)
