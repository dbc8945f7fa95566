"""From the training form to the deployed form: RepMLP layers and BatchNorms folded away."""

import collections
import itertools
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_mlp.arguments import shown
from keras_mlp.layers import Dense
from keras_mlp.layers.layer_changes import changes_of, layers_and_weights_by_path, make_changes
from keras_mlp.layers.locality_injection import batch_norm_affine
from keras_mlp.layers.tree import sublayers
from keras_mlp.models import VisionModel
from keras_mlp.models.feature_taps import BlockBranches, FeatureModel
from keras_mlp.typing import Array, Config

# Subclasses may compute something different, so the type must be exactly one of these.
_LINEAR = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
    keras.layers.Dense,
    Dense,
)


def deploy(model: keras.Model) -> keras.Model:
    """Returns a copy of a model that computes the same at inference with less work.

    Every `RepMLPBlock` and `RepMLP` is converted to its deployed form: its convolutions and
    BatchNorms are folded into its matrices. In a plain functional or sequential model, a BatchNorm
    that directly follows a convolution or dense layer is folded into it too, if nothing else uses
    that layer's output and there is no activation in between. `RepMLPNet` keeps its other
    BatchNorms: this is the authors' deployed form, whose checkpoints it loads.

    Folding saves time, but not always parameters: it adds more biases to a RepMLPNet than it
    removes in convolutions and BatchNorms. `python -m benchmarks.deploy` measures both.

    Outputs differ from `model(images)` by float rounding. The copy has no compiled loss or
    optimizer. It can be trained further, but behaves differently in training: deploy trained
    models.

    Args:
        model: `RepMLPNet`, or a built functional or sequential Keras model; models inside it are
            folded as well. It is not changed, and shares nothing with the copy.

    Returns:
        A new model of the same class, name and dtype policy.

    Raises:
        ValueError: `model` is of another kind, there is nothing to fold, or a RepMLP layer is
            inside a layer that does not define how to fold it. Such a layer needs an argument
            `deployed`, which is in its config and an attribute, and a method `deployed_weights()`
            that returns the weights of its deployed form, as `RepMLPNetUnit` does.

    Example:

    >>> model = RepMLPNet.from_variant("pico/2", num_classes=10)
    >>> fast = deploy(model)
    >>> fast.count_params() < model.count_params(), fast.deployed
    (True, True)
    """
    if not (isinstance(model, keras.Model) and model.built and hasattr(model, "inputs")):
        raise ValueError(
            f"`model` must be a built functional or sequential model, got {shown(model)}."
        )
    copy, folded = _deployed(model)
    if not folded:
        raise ValueError(
            f"`model` {model.name} has nothing to fold: no RepMLP layer in its training form, and "
            "no BatchNorm that directly follows a convolution or dense layer."
        )
    return copy


def _deployed(model: keras.Model) -> tuple[keras.Model, list[str]]:
    """Returns the copy of a model, and the names of its folded layers."""
    _check_kind(model)
    _check_reach(model)
    pairs: dict[str, str] = {}
    nested: dict[str, tuple[keras.Model, list[str]]] = {}
    if isinstance(model, VisionModel):
        copy = _deployed_form(model)
    else:
        pairs = _norms_to_fold(model)
        nested = {each.name: _deployed(each) for each in model.layers if _is_model(each)}
        copy = _rebuilt(model, pairs, {name: inner for name, (inner, _) in nested.items()})
    _freeze_like(model, copy)
    for layer in model.layers:
        if layer.name not in nested and layer.name not in pairs:
            copy.get_layer(layer.name).set_weights(_weights(model, layer, pairs))
    blocks = [layer.name for layer in model.layers if _trains(layer)]
    return copy, [*blocks, *pairs, *(name for _, names in nested.values() for name in names)]


def _deployed_form(model: VisionModel) -> VisionModel:
    """Returns the deployed form of a keras_mlp model, without the weights."""
    config = _deployed_config(model)
    deployed = type(model).from_config({**config, "frozen": ()})
    deployed.weights_source = model.weights_source
    return deployed


def _freeze_like(model: keras.Model, copy: keras.Model) -> None:
    """Freezes what is frozen in a model and is left in its copy."""
    left = layers_and_weights_by_path(copy)
    frozen = changes_of(model)["frozen"]
    make_changes(copy, {"frozen": [path for path in frozen if path in left]})


def _rebuilt(
    model: keras.Model, pairs: Mapping[str, str], nested: Mapping[str, keras.Model]
) -> keras.Model:
    """Rebuilds a functional or sequential model without the BatchNorms in `pairs` or weights."""

    def clone(layer: keras.Layer) -> keras.Layer:
        return nested[layer.name] if layer.name in nested else _clone(layer, pairs)

    def call(layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
        return args[0] if layer.name in pairs else layer(*args, **kwargs)

    if isinstance(model, keras.Sequential):
        layers = [clone(layer) for layer in model.layers if layer.name not in pairs]
        layers.insert(0, _same_input(model, model.inputs[0]))
        return keras.Sequential(layers, name=model.name, trainable=model.trainable)
    inputs = keras.tree.map_structure(lambda tensor: _same_input(model, tensor), model.input)
    # Keras compiles the clone of a compiled model. This one, of the same layers, is not.
    plain = type(model)(model.input, model.output, name=model.name)
    return keras.models.clone_model(
        plain, input_tensors=inputs, clone_function=clone, call_function=call
    )


def _same_input(model: keras.Model, tensor: keras.KerasTensor) -> keras.KerasTensor:
    """Returns a new input with the name of the model's; Keras' clones have other names."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer) and layer.output is tensor:
            return keras.Input(batch_shape=layer.batch_shape, dtype=layer.dtype, name=layer.name)
    return keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype)


def _is_model(layer: keras.Layer) -> bool:
    return isinstance(layer, keras.Model)


def _trains(layer: keras.Layer) -> bool:
    """Returns whether a layer has a deployed form and is not in it."""
    return hasattr(layer, "deployed_weights") and not layer.deployed


def has_training_form(model: keras.Model) -> bool:
    """Returns whether `deploy` would fold RepMLP layers of a model."""
    return any(_trains(layer) for layer in sublayers(model))


def _check_kind(model: keras.Model) -> None:
    if isinstance(model, (VisionModel, FeatureModel, keras.Sequential)):
        return
    # A subclass has its own constructor, and perhaps its own call.
    is_graph = hasattr(model, "inputs")
    if not is_graph or type(model) is not type(keras.Model(model.inputs, model.outputs)):
        raise ValueError(
            f"`model` {model.name} is of the class {type(model).__name__}: only plain functional "
            "and sequential models, and those of keras_mlp, can be rebuilt and folded."
        )


def _check_reach(model: keras.Model) -> None:
    for layer in model.layers:
        if _is_model(layer) or hasattr(layer, "deployed_weights"):
            continue
        hidden = [each for each in sublayers(layer) if _trains(each)]
        if hidden and isinstance(layer, BlockBranches):
            raise ValueError(
                f"`model` {model.name} has taps inside blocks, which cannot be folded: deploy the "
                "whole model first, then call its `features`."
            )
        if hidden:
            raise ValueError(
                f"`model` {model.name} cannot be folded: its layer {layer.name} "
                f"({type(layer).__name__}) holds the RepMLP layer {hidden[0].name}, but does not "
                "define `deployed` and `deployed_weights`, which fold it."
            )


def _deployed_config(layer: keras.Layer) -> Config:
    config = layer.get_config()
    has_form = _trains(layer) or (isinstance(layer, VisionModel) and "deployed" in config)
    return {**config, "deployed": True} if has_form else config


def _clone(layer: keras.Layer, pairs: Mapping[str, str]) -> keras.Layer:
    """Returns a new layer without the weights."""
    config = _deployed_config(layer)
    if layer.name in pairs.values():
        config["use_bias"] = True
    return type(layer).from_config(config)


def _weights(model: keras.Model, layer: keras.Layer, pairs: Mapping[str, str]) -> list[Array]:
    """Returns the weights of a layer's copy."""
    if _trains(layer):
        return layer.deployed_weights()
    for norm, linear in pairs.items():
        if linear == layer.name:
            return _folded(layer, model.get_layer(norm))
    return layer.get_weights()


def _folded(linear: keras.Layer, norm: keras.layers.BatchNormalization) -> list[Array]:
    """Returns kernel and bias of a linear layer that includes the BatchNorm after it."""
    scale, shift = batch_norm_affine(norm)
    kernel = np.asarray(linear.kernel, "float64")
    # Outputs are the last axis; in a depthwise layer the last two, (inputs, multiplier).
    is_depthwise = isinstance(linear, (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D))
    outputs = kernel.shape[-2:] if is_depthwise else kernel.shape[-1:]
    scale = np.broadcast_to(scale, (int(np.prod(outputs)),))
    bias = np.asarray(linear.bias, "float64") if linear.use_bias else np.float64(0.0)
    bias = np.broadcast_to(bias * scale + shift, scale.shape)
    return [(kernel * scale.reshape(outputs)).astype("float32"), bias.astype("float32")]


def _norms_to_fold(model: keras.Model) -> dict[str, str]:
    """Maps the name of each BatchNorm that can be folded to the layer it is folded into."""
    sources, uses = _graph(model)
    layers = {layer.name: layer for layer in model.layers}
    pairs = {}
    for name, norm in layers.items():
        if type(norm) is keras.layers.BatchNormalization and len(sources.get(name, ())) == 1:
            linear = sources[name][0]
            if uses[linear] == 1 and linear in layers and _can_take(layers[linear], norm):
                pairs[name] = linear
    return pairs


def _can_take(linear: keras.Layer, norm: keras.layers.BatchNormalization) -> bool:
    return (
        type(linear) in _LINEAR
        and linear.activation is keras.activations.linear
        and getattr(linear, "data_format", "channels_last") == "channels_last"
        and norm.axis in (-1, norm.input_spec.ndim - 1)
        and not getattr(linear, "lora_enabled", False)
        and not getattr(linear, "quantization_mode", None)
    )


def _graph(model: keras.Model) -> tuple[dict[str, list[str]], collections.Counter[str]]:
    """Returns the names of the layers that each layer is called on, and how often each is used.

    Layers that are called twice, or with more than a tensor, are left out of the first.
    """
    if isinstance(model, keras.Sequential):
        names = [layer.name for layer in model.layers]
        chain = {after: [before] for before, after in itertools.pairwise(names)}
        return chain, collections.Counter(names)
    config = model.get_config()
    outputs = keras.tree.flatten(config["output_layers"])  # names, and numbers of nodes
    sources = {}
    uses = collections.Counter(each for each in outputs if isinstance(each, str))
    for entry in config["layers"]:
        nodes = entry["inbound_nodes"]
        uses.update(_histories(nodes))
        if len(nodes) == 1 and not any(value is not None for value in nodes[0]["kwargs"].values()):
            sources[entry["name"]] = _histories(nodes[0]["args"])
    return sources, uses


def _histories(part: Any) -> list[str]:
    """Returns the names of the layers whose outputs a part of a functional config refers to."""
    if isinstance(part, dict) and "keras_history" in part:
        return [part["keras_history"][0]]
    if isinstance(part, dict):
        part = list(part.values())
    is_list = isinstance(part, (list, tuple))
    return [name for value in part for name in _histories(value)] if is_list else []
