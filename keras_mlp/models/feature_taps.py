"""Intermediate outputs of a model: of its layers, and of the branches of its blocks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import keras
from keras import ops

from keras_mlp.arguments import check_bool, check_choice, check_pair, patch_grid, shown
from keras_mlp.layers.layer_changes import KINDS, changes_of, make_changes
from keras_mlp.layers.token_grid import Grids
from keras_mlp.models.block import Block
from keras_mlp.models.replicated_model import ReplicatedModel
from keras_mlp.typing import Config, Shape, Tensor

if TYPE_CHECKING:
    from keras_mlp.models.base import VisionModel
    from keras_mlp.models.model_view import ModelView


def feature_model(
    model: "VisionModel | ModelView", names: list[str], grid: bool = True
) -> "FeatureModel":
    """A functional model from the same pixels to tensors inside; see `VisionModel.features`."""
    if not isinstance(names, (list, tuple)) or not names:
        raise ValueError(f"`names` must be a list of at least one name, got {shown(names)}.")
    check_tap_names(model, names, "names")
    check_bool("grid", grid)
    taps = _taps(model, names)
    outputs = {name: taps[name] for name in names}
    if grid:
        size = patch_grid(model.image_shape, check_pair("patch_size", model.patch_size))
        outputs = {name: _as_map(tensor, *size) for name, tensor in outputs.items()}
    return FeatureModel(model.input, outputs)


def tap_names(model: keras.Model) -> list[str]:
    """The names that `VisionModel.features` takes: of layers, and of the branches of blocks."""
    branches = [
        f"{layer.name}/{branch}"
        for layer in model.layers
        if isinstance(layer, Block)
        for branch in layer.branches
    ]
    return [*(layer.name for layer in model.layers), *branches]


@keras.saving.register_keras_serializable("keras_mlp")
class FeatureModel(ReplicatedModel):
    """A functional model to intermediate outputs, whose files keep the changes to its layers.

    Keras stores a functional model as the configs of its layers. Those of `Composite` layers hold
    their own changes; the config of this model also holds frozen weights of all other layers.
    """

    def get_config(self) -> Config:
        return {**super().get_config(), **changes_of(self)}

    @classmethod
    def from_config(cls, config: Config, custom_objects: Config | None = None) -> Self:
        own = {key: value for key, value in config.items() if key not in KINDS}
        model: Self = super().from_config(own, custom_objects)
        make_changes(model, config)
        return model


@keras.saving.register_keras_serializable("keras_mlp")
class BlockBranches(keras.layers.Layer):
    """A block that always returns its branches, for use beside the block itself.

    Keras assumes that a layer returns the same number of tensors in every functional model.

    Args:
        block: `Block`, whose weights it shares.
        **kwargs: as for `keras.layers.Layer`.

    Shapes: those of the block, called with `return_branches=True`.
    """

    def __init__(self, block: Block, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.block = block

    def build(self, input_shape: Shape) -> None:
        if not self.block.built:
            self.block.build(input_shape)
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None, grids: Grids | None = None) -> Any:
        return self.block(inputs, training=training, return_branches=True, grids=grids)

    def compute_output_spec(
        self, inputs: Tensor, training: bool | None = None, grids: Grids | None = None
    ) -> Any:
        return self.block.compute_output_spec(inputs, return_branches=True)

    def get_config(self) -> Config:
        block = keras.saving.serialize_keras_object(self.block)
        return {**super().get_config(), "block": block}

    @classmethod
    def from_config(cls, config: Config) -> Self:
        return cls(**{**config, "block": keras.saving.deserialize_keras_object(config["block"])})


def check_tap_names(model: keras.Model, names: Sequence[Any], argument: str) -> None:
    """Raises ValueError for a name that is none of `tap_names`, or is given twice.

    Args:
        model: the model.
        names: what the user gave.
        argument: what the user calls it.
    """
    allowed = tap_names(model)
    for name in names:
        check_choice(argument, name, allowed)
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise ValueError(f"`{argument}` must differ, got {twice[0]!r} more than once.")


def _taps(model: keras.Model, names: list[str]) -> dict[str, Tensor]:
    """The outputs of all layers, and the branches of the blocks that `names` ask for.

    The layers are called once more, on the same input: a block returns its branches in the call
    whose output the next block takes, so it runs once, with one draw of what it drops.
    """
    asked = {name.partition("/")[0] for name in names if "/" in name}
    taps = {layer.name: layer.output for layer in model.layers}

    def call(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> Tensor:
        if layer.name in asked:
            layer = BlockBranches(layer, name=layer.name, dtype=layer.dtype_policy)
            taps[layer.name], branches = layer(*args, **kwargs)
            taps.update({f"{layer.name}/{name}": each for name, each in branches.items()})
        else:
            taps[layer.name] = layer(*args, **kwargs)
        return taps[layer.name]

    # Even if no block is asked for: the layers of a view have other outputs in its base.
    plain = keras.Model(model.input, model.output)
    keras.models.clone_model(
        plain, input_tensors=model.input, clone_function=lambda layer: layer, call_function=call
    )
    return taps


def _as_map(tensor: Tensor, height: int, width: int) -> Tensor:
    """Tokens (B, S, C) or (B, 1 + S, C) as a map (B, h, w, C); any other tensor unchanged."""
    if len(tensor.shape) != 3:
        return tensor
    class_tokens = tensor.shape[1] - height * width
    return ops.reshape(tensor[:, class_tokens:], (-1, height, width, tensor.shape[-1]))
