"""A model at another image size, which shares every variable."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import keras

from keras_mlp.arguments import check_image_shape, check_pair, patch_grid
from keras_mlp.layers import GridPositionEmbedding, PositionEmbedding
from keras_mlp.layers.token_dense import TokenDense, check_resizable
from keras_mlp.layers.tree import sublayers
from keras_mlp.models.block import Block
from keras_mlp.models.careful_model import CarefulModel
from keras_mlp.models.feature_taps import feature_model
from keras_mlp.models.replicated_model import scope_of
from keras_mlp.typing import Config, ImageShape, Pair, Tensor

if TYPE_CHECKING:
    from keras_mlp.models.base import VisionModel


@keras.saving.register_keras_serializable("keras_mlp")
class ModelView(CarefulModel):
    """A model at another image size; `VisionModel.at` makes it.

    A functional model of the layers of `base`, called with the grid of other images: it has no
    variables of its own. What is frozen, quantized or given LoRA factors in one is so in the other.
    A `.keras` file of a view holds `base` and the size; a weights file is that of `base`.

    Args:
        base: the `VisionModel`.
        image_shape: (H, W, channels).
        patch_size: (height, width) of a patch in pixels.

    Attributes:
        base: the model whose variables these are.
        image_shape, patch_size: of this view.
        grid: (h, w) of its patches.
        logits: the symbolic logits, whatever `classifier_activation` is; None without a classifier.

    >>> from keras_mlp import MLPMixer
    >>> view = MLPMixer.from_variant("pico/2").at((12, 16, 3))
    >>> view.grid, view.base.grid
    ((6, 8), (4, 4))
    """

    def __init__(
        self, base: "VisionModel", image_shape: ImageShape, patch_size: tuple[int, int]
    ) -> None:
        pixels = keras.Input(image_shape, name="pixels", dtype=base.input.dtype)
        outputs = resized_outputs(base, base.output, pixels, patch_size)
        height, width, _ = image_shape
        with scope_of(base):
            super().__init__(pixels, outputs, name=f"{base.name}_at_{height}x{width}")
        self.dtype_policy = base.dtype_policy
        self.image_shape = image_shape
        self.patch_size = patch_size
        # In a function: Keras would track the model as a layer of this one.
        self._base: Callable[[], VisionModel] = lambda: base
        self.include_top = base.include_top
        self.include_preprocessing = base.include_preprocessing
        self.classifier_activation = base.classifier_activation

    @property
    def base(self) -> "VisionModel":
        return self._base()

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Those of the base, which has the same logits."""
        return self.base.class_names

    @property
    def grid(self) -> tuple[int, int]:
        return patch_grid(self.image_shape, self.patch_size)

    @property
    def logits(self) -> Tensor | None:
        if not self.include_top:
            return None
        return resized_outputs(self.base, self.base.logits, self.input, self.patch_size)

    def at(
        self, image_shape: ImageShape, *, patch_size: Pair | None = None
    ) -> "VisionModel | ModelView":
        """The base model at another size, as `VisionModel.at`."""
        return self.base.at(image_shape, patch_size=patch_size)

    def features(self, names: list[str], grid: bool = True) -> keras.Model:
        """A functional model to what this one computes on the way, as `VisionModel.features`."""
        return feature_model(self, names, grid)

    def quantize(self, *args: Any, **kwargs: Any) -> None:
        self.base.quantize(*args, **kwargs)

    def __dir__(self) -> list[str]:
        # Keras saves what `dir` lists, in this order, and each object once: an optimizer that the
        # base is compiled with too would be stored as the base's. The layers of both are the same.
        return [name for name in super().__dir__() if name != "base"]

    def get_config(self) -> Config:
        base = keras.saving.serialize_keras_object(self.base)
        base.pop("compile_config", None)  # of another model than the one that is saved
        return {
            "base": base,
            "image_shape": self.image_shape,
            "patch_size": self.patch_size,
        }

    @classmethod
    def from_config(cls, config: Config, custom_objects: Config | None = None) -> Self:
        base = keras.saving.deserialize_keras_object(config["base"], custom_objects)
        return cls(base, tuple(config["image_shape"]), tuple(config["patch_size"]))


def check_size(
    model: "VisionModel", image_shape: Any, patch_size: Any
) -> tuple[ImageShape, tuple[int, int]]:
    """The image shape and patch of a view as tuples, or ValueError if they do not fit the model."""
    image_shape = check_image_shape(image_shape)
    own_patch = check_pair("patch_size", model.patch_size)
    patch_size = own_patch if patch_size is None else check_pair("patch_size", patch_size)
    if image_shape[-1] != model.image_shape[-1]:
        raise ValueError(
            f"`image_shape`={image_shape} has another number of channels than {model.name}, "
            f"{model.image_shape[-1]}: a view shares the kernel that reads them. Use "
            "`keras_mlp.with_image_shape`."
        )
    steps = [patch * step for patch, step in zip(patch_size, model.grid_step, strict=True)]
    if any(side % step for side, step in zip(image_shape, steps, strict=False)):
        raise ValueError(
            f"{model.name} with patches of {patch_size[0]} x {patch_size[1]} pixels takes heights "
            f"that are multiples of {steps[0]} and widths that are multiples of {steps[1]}, got "
            f"`image_shape`={image_shape}. {_nearest(image_shape, steps)}"
        )
    if image_shape != tuple(model.image_shape):
        model.arguments_at(image_shape)  # raises if the weights cannot be fitted
    if patch_grid(image_shape, patch_size) != model.grid:
        for layer in sublayers(model):
            if isinstance(layer, TokenDense):
                check_resizable(layer)
    return image_shape, patch_size


def resized_outputs(
    model: "VisionModel", outputs: Tensor, pixels: Tensor, patch_size: tuple[int, int]
) -> Tensor:
    """Symbolic outputs of a model for other images, by the same layers.

    Args:
        model: the model.
        outputs: symbolic tensor inside it, computed from its input.
        pixels: symbolic images of another size, (B, H, W, channels).
        patch_size: (height, width) of a patch.

    Returns:
        What `outputs` is for `pixels`.
    """
    grid = patch_grid(tuple(pixels.shape[1:]), patch_size)

    def call(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> Tensor:
        x = args[0]
        over_tokens = isinstance(layer, (Block, PositionEmbedding, GridPositionEmbedding))
        if over_tokens and len(x.shape) == 3 and grid != model.grid:
            kwargs["grids"] = (model.grid, grid)
        if layer.name == "stem" and patch_size != check_pair("patch_size", model.patch_size):
            kwargs["patch_size"] = patch_size
        if layer.name == "features":  # the reshape to a feature map, which has no weights
            shape = x.shape[1:] if len(x.shape) == 4 else (*grid, x.shape[-1])
            layer = keras.layers.Reshape(shape, dtype=layer.dtype_policy, name=layer.name)
        return layer(*args, **kwargs)

    plain = keras.Model(model.input, outputs)
    clone = keras.models.clone_model(
        plain, input_tensors=pixels, clone_function=lambda layer: layer, call_function=call
    )
    return clone.output


def _nearest(image_shape: ImageShape, steps: list[int]) -> str:
    """The sizes that fit next to one that does not."""
    below, above = [], []
    for side, step in zip(image_shape, steps, strict=False):
        below.append(max(side // step, 1) * step)
        above.append(-(-side // step) * step)
    sizes = dict.fromkeys(" x ".join(map(str, sides)) for sides in (below, above))
    return f"The nearest: {' and '.join(sizes)}."
