"""What every architecture shares: pixels in, head out, variants, and a config that rebuilds it."""

import inspect

import keras
import numpy as np

from keras_mlp.arguments import check_choice, check_positive_int
from keras_mlp.layers import ClassToken, GridTokens, PixelNormalization

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class VisionModel(keras.Model):
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

    @classmethod
    def _argument_names(cls):
        parameters = inspect.signature(cls.__init__).parameters
        return [name for name in parameters if name not in ("self", "name", "dtype")]

    def get_config(self):
        config = {name: getattr(self, name) for name in self._argument_names()}
        config["name"] = self.name
        config["dtype"] = keras.dtype_policies.serialize(self.dtype_policy)
        config["frozen"] = [layer.name for layer in self.layers if not layer.trainable]
        return config

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        frozen = config.pop("frozen", ())
        model = cls(**config)
        for name in frozen:
            model.get_layer(name).trainable = False
        return model


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
    pixels = keras.Input(image_shape, name="pixels")
    if not include_preprocessing:
        return pixels, pixels
    mean, std = (_for_channels(value, image_shape[-1]) for value in (pixel_mean, pixel_std))
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
    kinds = ("token", "avg") if class_token else ("avg",)
    check_choice("pooling", pooling, kinds if include_top else (*kinds, None))
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
