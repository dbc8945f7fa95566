"""What every architecture shares: pixels in, head out, variants, and a config that rebuilds it."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NoReturn, Self

import keras
import numpy as np

from keras_mlp.arguments import (
    check_channel_values,
    check_choice,
    check_class_names,
    check_pair,
    patch_grid,
    shown,
)
from keras_mlp.layers import ClassToken, DistilledHead, GridTokens, PixelNormalization
from keras_mlp.layers.layer_changes import KINDS, changes_of, make_changes, quantizing
from keras_mlp.models.about import load_source, one_line, save_source, summary_lines
from keras_mlp.models.block import Block
from keras_mlp.models.careful_model import CarefulModel
from keras_mlp.models.checkpoint_layout import CheckpointLayout
from keras_mlp.models.constructor import Arguments
from keras_mlp.models.feature_taps import feature_model
from keras_mlp.models.model_view import ModelView, check_size
from keras_mlp.models.timm_model import TimmModel
from keras_mlp.models.token_mixing import TokenMixing
from keras_mlp.typing import Config, ImageShape, Initializer, Pair, Tensor

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class VisionModel(CarefulModel):
    """Base class of the architectures: a functional Keras model that remembers its arguments.

    Images (B, H, W, channels) with pixels in [0, 255], uint8 or float, become float32 logits
    (B, num_classes), probabilities, or features. A built model takes one image size. `CarefulModel`
    says what is checked: float images in [0, 1] lead to a warning, and so does a loss that does not
    fit logits.

    A subclass builds its graph between `image_input` and `feature_head` and passes it, with its
    arguments, to this constructor. Each argument is then an attribute of the same name and part of
    `get_config`.

    Args of every architecture, besides its own:
        image_shape: (H, W, channels); H and W multiples of the patch.
        patch_size: side P of a patch in pixels, or (height, width).
        num_layers: number of blocks; in models of several stages a tuple, one number per stage.
        hidden_dim: channels C of a token; in models of several stages a tuple.
        num_classes: number of logits.
        dropout_rate: in [0, 1), inside the MLPs.
        drop_path_rate: in [0, 1), probability of dropping a residual branch of a sample (stochastic
            depth). It grows linearly from 0 in the first block to this rate in the last, unless the
            architecture says otherwise. Kept branches are rescaled, as in timm (big_vision does
            not).
        gelu_approximate: False for the exact GELU (timm), True for the tanh approximation that
            Google's JAX code trained with.
        layer_norm_epsilon: of all LayerNorms.
        include_top: False to return features instead of logits.
        pooling: "avg" for the mean over the grid, or, with a class token, "token" for that token:
            features (B, C). With `include_top=False` also None for the feature map (B, h, w, C).
        classifier_activation: None to return logits; "softmax" or "sigmoid" to return probabilities
            (B, num_classes), for losses that expect them, such as Keras' by their names. The
            weights and the layer "head" are the same, and exports contain logits.
        include_preprocessing: normalise pixels inside the model. False if the images are already
            normalised.
        pixel_mean, pixel_std: of that normalisation, on the [0, 1] scale; a number, or one per
            channel. ImageNet's, the default of many architectures, are averaged over the three
            colours for images with another number of channels.
        remat: in training, compute every block a second time in the backward pass instead of
            keeping its activations: less memory, more time, the same numbers.
        name: of the model.
        dtype: Keras dtype policy, such as "mixed_bfloat16"; None for the global one.

    Raises:
        ValueError: an argument is out of range, or the patch does not divide the image.

    Attributes:
        variants: from the name of a size to the arguments that make it. The sizes are the paper's;
            `nano` and `pico` are ours, for images of 8 to 32 pixels.
        token_mixing: how the blocks mix tokens, for the tools that need to know.
        checkpoint_layouts: from the name of a source of weights to how it names them.
        timm: timm's counterpart; None if there is none.
        input_kernel: path of the kernel of the convolution that reads the image.
        input_offset: path of the weight that shifts what this convolution returns, and the sign.
        blocks: the blocks, from the input to the output.
        grid: (h, w) of the patches.
        has_class_token: whether the first token is a class token.
        logits: the symbolic logits, whatever `classifier_activation` is; None without a classifier.
        class_names: names of the classes in the order of the logits, a tuple of strings of one line
            each, or None. Set it to a list of K names. Files, exports and copies with the same
            classes keep it.
        weights_source: name of the preset or file that weights were loaded from, further training
            notwithstanding; None if there was none. `.keras` files keep it, configs do not.
    """

    variants: ClassVar[dict[str, Config]] = {}
    token_mixing: ClassVar[TokenMixing] = TokenMixing()
    checkpoint_layouts: ClassVar[dict[str, CheckpointLayout]] = {}
    timm: ClassVar[TimmModel | None] = None
    # The ends of the paths of weights whose gradient is zero for every image, and why.
    zero_gradient: ClassVar[tuple[tuple[str, ...], str]] = ((), "")
    input_kernel: ClassVar[str] = "stem/projection/kernel"
    input_offset: tuple[str, int] = ("stem/projection/bias", 1)
    # What an unnamed model is called, followed by a number from the second one on.
    default_name: ClassVar[str | None] = None
    # The first part of the names of artefacts; None for the name of the class in lower case.
    short_name: ClassVar[str | None] = None
    weights_source: str | None = None
    _class_names: tuple[str, ...] | None = None

    def __init__(self, inputs: Tensor, outputs: Tensor, arguments: Arguments) -> None:
        super().__init__(inputs, outputs, name=arguments.name or self._new_name())
        # Keras restores the policy of a functional model only if it is set after construction.
        self.dtype_policy = arguments.dtype
        for name in self._argument_names():
            setattr(self, name, _plain(arguments.given[name]))

    @classmethod
    def from_variant(cls, variant: str, **overrides: Any) -> Self:
        """Builds a published size by its name.

        Args:
            variant: a key of `variants`, such as "B/16".
            **overrides: constructor arguments that override the published ones.

        Returns:
            A new model with random weights.

        Raises:
            ValueError: the variant is unknown (the nearest is named), or an argument is wrong.
        """
        check_choice("variant", variant, cls.variants)
        return cls(**{**cls.variants[variant], **overrides})

    # Set by `keras_mlp.weights`, which imports the models and which they must not import.
    preset_builder: ClassVar[Any] = None

    @classmethod
    def from_preset(cls, preset: Any, **arguments: Any) -> Self:
        """Builds a model with published weights.

        The file is downloaded once into `cache_dir`, $KERAS_MLP_CACHE or ~/.keras/keras_mlp, where
        it is named after the preset; a file that is already there is used. The model normalises
        pixels and computes GELU as the weights expect.

        Args:
            preset: a name that `keras_mlp.presets()` lists, such as "mixer_b16_224.goog_in21k", or
                the path of a file in a published naming; or the address of an artefact or of a
                repository of timm, "hf://USER/REPO" or "kaggle://OWNER/MODEL/FRAMEWORK/VARIATION",
                which needs the extra "hf" or "kaggle" (docs/hubs.md).
            **arguments: constructor arguments that override the published ones, and
                `variant`, a key of `variants`, for the path of a file;
                `file_image_shape`, (H, W, channels) of the model in that file, where the file does
                not show it;
                `file`, the path of the preset's file if you have it;
                `cache_dir`, the folder of downloaded files;
                `verbose`, False to silence progress output.
                With another `num_classes` the classifier is new and everything else is loaded;
                `include_top=False` loads everything but the classifier. With another
                `image_shape`, channels included, the published weights are made to fit, as by
                `with_image_shape`. So are those of a file, given its `variant`: a file of
                `save_checkpoint` states its image shape; any other is loaded as it is if it fits,
                and assumed to be for square images if not. Where both are possible,
                `file_image_shape` must say which.

        Returns:
            A new model.

        Raises:
            ValueError: the preset is unknown (the nearest is named), an argument is wrong, or the
                file does not fit this model.
            OSError: the file cannot be obtained; the message says what to do.
            ImportError: the client of a hub is not installed.

        >>> MLPMixer.from_preset("mixer_b16_224.goog_in21k", num_classes=10)  # doctest: +SKIP
        """
        return cls.preset_builder(cls, preset, **arguments)

    def at(self, image_shape: ImageShape, *, patch_size: Pair | None = None) -> Self | ModelView:
        """This model for images of another size, sharing every variable.

        Weights over tokens are resized inside the graph, as `with_image_shape` resizes them:
        W' = U W U+, which is linear in W, so that training the view trains the stored weights. One
        set of weights can thus be trained over many sizes, and used at any. Positions, and norms
        over tokens, are interpolated. A new `patch_size` resizes the kernel of the patch embedding
        by the pseudo-inverse (FlexiViT, Beyer et al., arXiv:2212.08013).

        The view takes part in `fit`, in `tf.distribute` and in files as every Keras model. It costs
        a few small products more for each block and call; `with_image_shape` makes a model without
        them.

        Args:
            image_shape: (H, W, channels), square or not, with the channels of this model.
            patch_size: side of a patch in pixels, or (height, width); None for that of this model.

        Returns:
            A `ModelView`, or this model itself for its own size.

        Raises:
            ValueError: an argument is out of range; the model has no grid at this size (the message
                names the nearest sizes that fit); the number of channels differs; or the model is
                quantized in a way that cannot be resized.

        >>> model = MLPMixer.from_variant("pico/2", num_classes=10)
        >>> larger = model.at((12, 16, 3))
        >>> tuple(larger(numpy.zeros((2, 12, 16, 3), "uint8")).shape)
        (2, 10)
        >>> all(a is b for a, b in zip(larger.weights, model.weights))
        True
        """
        image_shape, patch = check_size(self, image_shape, patch_size)
        own = (tuple(self.image_shape), check_pair("patch_size", self.patch_size))
        return self if (image_shape, patch) == own else ModelView(self, image_shape, patch)

    def features(self, names: list[str], grid: bool = True) -> keras.Model:
        """A functional model to what this model computes on the way, with the same weights.

        Args:
            names: names of layers ("stem", "block_3", "norm": any of `layers`), and of the branches
                of blocks, "<block>/token_mixing" and "<block>/channel_mixing": the output of a
                branch before stochastic depth. The token mixing of `GMLP`, whose blocks have one
                residual branch, is the output of the gate.
            grid: True for maps (B, h, w, C) where a layer returns tokens, without the class token.
                False for the outputs as they are.

        Returns:
            A `keras.Model` from the same pixels to a dict from name to tensor. It shares the layers
            of this model: training one trains the other.

        Raises:
            ValueError: a name is unknown (the nearest is named) or given twice, or `names` is
                empty.

        >>> model = MLPMixer.from_variant("pico/2")
        >>> features = model.features(["block_1", "block_3/token_mixing"])
        >>> tuple(features(numpy.zeros((2, 8, 8, 3), "uint8"))["block_1"].shape)
        (2, 4, 4, 64)
        """
        return feature_model(self, names, grid)

    @property
    def blocks(self) -> list[Block]:
        return [layer for layer in self.layers if isinstance(layer, Block)]

    @property
    def grid(self) -> tuple[int, int]:
        return patch_grid(self.image_shape, check_pair("patch_size", self.patch_size))

    @property
    def has_class_token(self) -> bool:
        return getattr(self, "class_token", False)

    @property
    def logits(self) -> Tensor | None:
        return self.get_layer("head").output if self.include_top else None

    @property
    def class_names(self) -> tuple[str, ...] | None:
        return self._class_names

    @class_names.setter
    def class_names(self, names: Sequence[str] | None) -> None:
        logits = self.logits
        if names is not None and logits is None:
            raise ValueError(
                f"`class_names` name logits, and {self.name} has none: it was built with "
                "`include_top=False`."
            )
        if names is not None and logits is not None:
            names = check_class_names(names, self.name, logits.shape)
        self._class_names = None if names is None else tuple(names)

    def token_grid(self, weight_path: str) -> tuple[int, int]:
        """The grid of tokens that a weight runs over, by the weight's path."""
        return self.grid

    @property
    def grid_step(self) -> tuple[int, int]:
        """Height and width of the grid are multiples of these at every image size."""
        return 1, 1

    def arguments_at(self, image_shape: ImageShape) -> Config:
        """The arguments that change, besides `image_shape`, in this model at another image size.

        Raises:
            ValueError: the weights of this model cannot be made to fit another image size.
        """
        return {}

    def arguments_of_copies(self, copies: int) -> Config:
        """The arguments that change where every sub-image has its own copy of the token mixing.

        Args:
            copies: number of sub-images.

        Raises:
            ValueError: sub-images of this model would share something.
        """
        return {}

    def _refuse_copies(self, shared: str = "a class token or attention") -> NoReturn:
        raise ValueError(
            f"`method`='block_diagonal' is not defined for `model` {self.name}: sub-images of "
            f"{type(self).__name__} share {shared}. Use 'interpolate'."
        )

    @classmethod
    def _new_name(cls) -> str | None:
        if cls.default_name is None:
            return None
        number = keras.backend.get_uid(cls.default_name) - 1
        return f"{cls.default_name}_{number}" if number else cls.default_name

    @classmethod
    def _argument_names(cls) -> list[str]:
        parameters = inspect.signature(cls.__init__).parameters
        return [name for name in parameters if name not in ("self", "name", "dtype")]

    def get_config(self) -> Config:
        config = {name: getattr(self, name) for name in self._argument_names()}
        config["name"] = self.name
        config["dtype"] = keras.dtype_policies.serialize(self.dtype_policy)
        if self.class_names is not None:
            config["class_names"] = list(self.class_names)
        return {**config, **changes_of(self)}

    @classmethod
    def from_config(cls, config: Config, custom_objects: Config | None = None) -> Self:
        config = dict(config)
        changes = {kind: config.pop(kind) for kind in KINDS if kind in config}
        names = config.pop("class_names", None)
        model = cls(**config)
        make_changes(model, changes)
        # A config that was changed to other classes, or to none, leaves the names behind.
        if names is not None and model.include_top and len(names) == model.num_classes:
            model.class_names = names
        return model

    def summary(
        self,
        line_length: int | None = None,
        positions: list[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: list[str] | tuple[str, str] | None = None,
    ) -> None:
        """Prints Keras' summary, then size, image, pixels, output and source of the weights.

        Args:
            line_length, positions, expand_nested, show_trainable, layer_range: as for
                `keras.Model.summary`.
            print_fn: called with each part of the text; None to print it.
        """
        super().summary(
            line_length, positions, print_fn, expand_nested, show_trainable, layer_range
        )
        for line in summary_lines(self):
            (print_fn or print)(line)

    def __repr__(self) -> str:
        # Keras may show a model in an error while its constructor runs.
        is_complete = hasattr(self, self._argument_names()[-1])
        return one_line(self) if is_complete else super().__repr__()

    # Keras calls these for what a `.keras` file holds besides config and weights.
    def save_assets(self, folder: str) -> None:
        save_source(self, folder)

    def load_assets(self, folder: str | None) -> None:
        load_source(self, folder)

    def quantize(
        self, mode: Any = None, config: Any = None, filters: Any = None, **kwargs: Any
    ) -> None:
        with quantizing():
            super().quantize(mode, config, filters, **kwargs)


def size(image_side: int, patch_size: Pair, num_layers: Any, hidden_dim: Any, **own: Any) -> Config:
    """The arguments of a variant for square images in colour."""
    return {
        "image_shape": (image_side, image_side, 3),
        "patch_size": patch_size,
        "num_layers": num_layers,
        "hidden_dim": hidden_dim,
        **own,
    }


def check_model(model: Any) -> VisionModel:
    """Returns `model`, or raises ValueError unless it is a model of this package."""
    if isinstance(model, VisionModel):
        return model
    if isinstance(model, ModelView):
        raise ValueError(
            f"`model` {model.name} is a view of {model.base.name}: give `view.base`, or a model of "
            "the view's size, `keras_mlp.with_image_shape(view.base, view.image_shape)`."
        )
    if isinstance(model, keras.Model) and any(isinstance(each, Block) for each in model.layers):
        raise ValueError(
            f"`model` {model.name} holds layers of keras_mlp, but is a plain {type(model).__name__}"
            " without the arguments that it was built with, as `keras.models.clone_model` and "
            "`keras.Model(inputs, outputs)` return it. Give the model itself; to copy one, use "
            "`type(model).from_config(model.get_config())`, then `set_weights`."
        )
    raise ValueError(f"`model` must be a keras_mlp model such as MLPMixer, got {shown(model)}.")


def logits_model(model: VisionModel) -> keras.Model:
    """The model itself, or a functional model to its logits where it returns probabilities."""
    if not model.include_top or model.classifier_activation is None:
        return model
    return keras.Model(model.input, model.logits, name=model.name)


def _plain(value: Any) -> Any:
    """An argument in plain Python: numpy's numbers as Python's, lists and arrays as tuples."""
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    return tuple(map(_plain, value)) if isinstance(value, (tuple, list)) else value


def image_input(arguments: Arguments) -> tuple[Tensor, Tensor]:
    """The model's input and the normalised image for its stem, both symbolic, (B, H, W, C)."""
    channels = arguments.image_shape[-1]
    mean, std = (
        _for_channels(value, channels) for value in (arguments.pixel_mean, arguments.pixel_std)
    )
    # Their scale is [0, 1]: a mean of 127 is a mistake, and a deviation near 0 divides by it.
    mean = check_channel_values("pixel_mean", mean, channels, lowest=0.0, highest=1.0)
    std = check_channel_values("pixel_std", std, channels, lowest=1e-4, highest=1.0)
    pixels = keras.Input(arguments.image_shape, name="pixels")
    if not arguments.include_preprocessing:
        return pixels, pixels
    return pixels, PixelNormalization(mean, std, dtype=arguments.dtype, name="normalize")(pixels)


def _for_channels(value: Any, channels: int) -> Any:
    if channels != 3 and _plain(value) in (IMAGENET_MEAN, IMAGENET_STD):
        return float(np.mean(value))
    return value


def feature_head(
    tokens: Tensor,
    arguments: Arguments,
    *,
    kernel_initializer: Initializer,
    bias_initializer: Initializer = "zeros",
    front_tokens: int = 0,
    class_tokens: int = 1,
    after_pooling: tuple[keras.layers.Layer, ...] = (),
) -> Tensor:
    """Logits, probabilities, pooled features or a feature map, as the arguments ask.

    Args:
        tokens: symbolic, (B, S, C), or with `front_tokens` (B, R + S, C); or a map (B, h, w, C).
        arguments: of the model. Logits and probabilities are float32 under every dtype policy.
        kernel_initializer, bias_initializer: of the classifier.
        front_tokens: number of tokens in front of those of the grid. With `pooling` "token" the
            first is a class token.
        class_tokens: number of tokens that `pooling` "token" selects: 2 with a distillation token,
            each with a classifier of its own.
        after_pooling: layers between the pooled features and the classifier.

    Returns:
        Symbolic logits or probabilities (B, K), or features.
    """
    dtype, pooling = arguments.dtype, arguments.pooling
    if pooling == "token":
        pooled = ClassToken(class_tokens, dtype=dtype, name="pool")(tokens)
    else:
        if front_tokens:
            tokens = GridTokens(front_tokens, dtype=dtype, name="grid_tokens")(tokens)
        is_map = len(tokens.shape) == 4
        if pooling is None:
            shape = tokens.shape[1:] if is_map else (*arguments.grid, tokens.shape[-1])
            return keras.layers.Reshape(shape, dtype=dtype, name="features")(tokens)
        mean = (
            keras.layers.GlobalAveragePooling2D if is_map else keras.layers.GlobalAveragePooling1D
        )
        pooled = mean(data_format="channels_last", dtype=dtype, name="pool")(tokens)
    for layer in after_pooling:
        pooled = layer(pooled)
    if not arguments.include_top:
        return pooled
    classifier = keras.layers.Dense if class_tokens == 1 else DistilledHead
    head = classifier(
        arguments.num_classes,
        kernel_initializer=kernel_initializer,
        bias_initializer=bias_initializer,
        dtype="float32",
        name="head",
    )
    logits = head(pooled)
    if arguments.classifier_activation is None:
        return logits
    # Not the activation of the head: its output stays the logits, which exports and taps read.
    activation = keras.layers.Activation(
        arguments.classifier_activation, dtype="float32", name="probabilities"
    )
    return activation(logits)
