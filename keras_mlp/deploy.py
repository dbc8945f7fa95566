"""From the form that trains to the form that serves: RepMLP layers and BatchNorms folded away."""

import collections
import itertools

import keras
import numpy as np

from keras_mlp.layers import Dense
from keras_mlp.layers.locality_injection import batch_norm_affine
from keras_mlp.models import VisionModel
from keras_mlp.models.layer_changes import layers_and_weights_by_path, make_changes

# Subclasses may compute something else, so the type must be one of these.
_LINEAR = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
    keras.layers.Dense,
    Dense,
)


def deploy(model):
    """A copy of a model that computes the same at inference, with less work.

    Every `RepMLPBlock` and `RepMLP` gets its deployed form: its convolutions and BatchNorms become
    part of its matrix. In a plain functional or sequential model, a BatchNorm right behind a
    convolution or dense layer is folded into it too, if nothing else uses that layer's output and
    no activation stands between. `RepMLPNet` keeps its other BatchNorms: that is its authors'
    deployed form, whose checkpoints it loads.

    Folding saves time, not always parameters: the biases it adds to a RepMLPNet are more than the
    convolutions and BatchNorms it removes. `python -m benchmarks.deploy`, one thread of an AMD EPYC
    (Zen 4), TensorFlow 2.20.0, 2026-11-20, median speed over the form that trains and its range in
    12 rounds in turn: RepMLPNet T224 1.09 (0.92 to 1.25) with 38,112 parameters more, nano/4 1.38
    (1.26 to 1.58) with 768 more, the ResNet of `examples/repmlp_resnet.py` 1.67 (1.56 to 1.83) with
    1,792 fewer. A large RepMLPNet gains little.

    Differences to `model(images)` are float rounding. The copy has no compiled loss or optimizer.
    It can be trained further, but is another network under training: deploy what is trained.

    Args:
        model: `RepMLPNet`, or a built functional or sequential Keras model; models inside it are
            folded as well. It is not changed, and shares nothing with the copy.

    Returns:
        A new model of the same class, name and dtype policy.

    Raises:
        ValueError: `model` is of another kind; or there is nothing to fold; or a RepMLP layer sits
            inside a layer that does not say how to fold it. Such a layer can: by an argument
            `deployed`, kept in its config and as an attribute, and a method `deployed_weights()`
            that gives the weights for its deployed form, as `RepMLPNetUnit` does.

    Example:

    >>> model = RepMLPNet.from_variant("pico/2", num_classes=10)
    >>> fast = deploy(model)
    >>> fast.count_params() < model.count_params(), fast.deployed
    (True, True)
    """
    if not (isinstance(model, keras.Model) and model.built and hasattr(model, "inputs")):
        raise ValueError(f"`model` must be a built functional or sequential model, got {model!r}.")
    copy, folded = _deployed(model)
    if not folded:
        raise ValueError(
            f"`model` {model.name} has nothing to fold: no RepMLP layer in the form that trains, "
            "and no BatchNorm right behind a convolution or dense layer."
        )
    return copy


def _deployed(model):
    """The copy of a model, and the names of the layers that are folded in it."""
    _check_kind(model)
    _check_reach(model)
    pairs, nested = {}, {}
    if isinstance(model, VisionModel):
        copy = _deployed_form(model)
    else:
        pairs = _norms_to_fold(model)
        nested = {each.name: _deployed(each) for each in model.layers if _is_model(each)}
        copy = _rebuilt(model, pairs, {name: inner for name, (inner, _) in nested.items()})
    for layer in model.layers:
        if layer.name not in nested and layer.name not in pairs:
            copy.get_layer(layer.name).set_weights(_weights(model, layer, pairs))
    blocks = [layer.name for layer in model.layers if _trains(layer)]
    return copy, [*blocks, *pairs, *(name for _, names in nested.values() for name in names)]


def _deployed_form(model):
    """The deployed form of a model of ours, without the weights."""
    config = _deployed_config(model)
    copy = type(model).from_config({**config, "frozen": ()})
    left = layers_and_weights_by_path(copy)
    make_changes(copy, {"frozen": [path for path in config["frozen"] if path in left]})
    return copy


def _rebuilt(model, pairs, nested):
    """A functional or sequential model again, without the BatchNorms in `pairs`, and weights."""

    def clone(layer):
        return nested[layer.name] if layer.name in nested else _clone(layer, pairs)

    def call(layer, *args, **kwargs):
        return args[0] if layer.name in pairs else layer(*args, **kwargs)

    if isinstance(model, keras.Sequential):
        layers = [clone(layer) for layer in model.layers if layer.name not in pairs]
        layers.insert(0, _same_input(model, model.inputs[0]))
        return keras.Sequential(layers, name=model.name, trainable=model.trainable)
    inputs = keras.tree.map_structure(lambda tensor: _same_input(model, tensor), model.input)
    # Keras compiles the clone of a compiled model; this one, of the same layers, is not.
    plain = keras.Model(model.input, model.output, name=model.name)
    return keras.models.clone_model(
        plain, input_tensors=inputs, clone_function=clone, call_function=call
    )


def _same_input(model, tensor):
    """A new input like that of the model; Keras' clones have other names."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer) and layer.output is tensor:
            return keras.Input(batch_shape=layer.batch_shape, dtype=layer.dtype, name=layer.name)
    return keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype)


def _is_model(layer):
    return isinstance(layer, keras.Model)


def _trains(layer):
    """Whether a layer has a deployed form that it is not in."""
    return hasattr(layer, "deployed_weights") and not layer.deployed


def _check_kind(model):
    if isinstance(model, (VisionModel, keras.Sequential)):
        return
    # A subclass has a constructor, and perhaps a call, of its own.
    is_graph = hasattr(model, "inputs")
    if not is_graph or type(model) is not type(keras.Model(model.inputs, model.outputs)):
        raise ValueError(
            f"`model` {model.name} is of the class {type(model).__name__}: only plain functional "
            "and sequential models, and those of keras_mlp, can be rebuilt and folded."
        )


def _check_reach(model):
    for layer in model.layers:
        if _is_model(layer) or hasattr(layer, "deployed_weights"):
            continue
        # Keras has no public name for the layers inside a layer.
        hidden = [each for each in layer._flatten_layers(include_self=False) if _trains(each)]
        if hidden:
            raise ValueError(
                f"`model` {model.name} cannot be folded: its layer {layer.name} "
                f"({type(layer).__name__}) holds the RepMLP layer {hidden[0].name}, and has no "
                "`deployed` and `deployed_weights` that say how to fold it."
            )


def _deployed_config(layer):
    config = layer.get_config()
    has_form = _trains(layer) or (isinstance(layer, VisionModel) and "deployed" in config)
    return {**config, "deployed": True} if has_form else config


def _clone(layer, pairs):
    """A new layer without the weights."""
    config = _deployed_config(layer)
    if layer.name in pairs.values():
        config["use_bias"] = True
    return type(layer).from_config(config)


def _weights(model, layer, pairs):
    """The weights that the layer's copy takes."""
    if _trains(layer):
        return layer.deployed_weights()
    for norm, linear in pairs.items():
        if linear == layer.name:
            return _folded(layer, model.get_layer(norm))
    return layer.get_weights()


def _folded(linear, norm):
    """Kernel and bias of a linear layer with the BatchNorm behind it."""
    scale, shift = batch_norm_affine(norm)
    kernel = np.asarray(linear.kernel, "float64")
    # The outputs are the last axis, or, of a depthwise layer, the last two: (inputs, multiplier).
    is_depthwise = isinstance(linear, (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D))
    outputs = kernel.shape[-2:] if is_depthwise else kernel.shape[-1:]
    scale = np.broadcast_to(scale, (int(np.prod(outputs)),))
    bias = np.asarray(linear.bias, "float64") if linear.use_bias else 0.0
    bias = np.broadcast_to(bias * scale + shift, scale.shape)
    return [(kernel * scale.reshape(outputs)).astype("float32"), bias.astype("float32")]


def _norms_to_fold(model):
    """From the name of each BatchNorm that can be folded to that of the layer it is folded into."""
    sources, uses = _graph(model)
    layers = {layer.name: layer for layer in model.layers}
    pairs = {}
    for name, norm in layers.items():
        if type(norm) is keras.layers.BatchNormalization and len(sources.get(name, ())) == 1:
            linear = layers.get(sources[name][0])
            if uses[sources[name][0]] == 1 and _can_take(linear, norm):
                pairs[name] = linear.name
    return pairs


def _can_take(linear, norm):
    return (
        type(linear) in _LINEAR
        and linear.activation is keras.activations.linear
        and getattr(linear, "data_format", "channels_last") == "channels_last"
        and norm.axis in (-1, norm.input_spec.ndim - 1)
        and not getattr(linear, "lora_enabled", False)
        and not getattr(linear, "quantization_mode", None)
    )


def _graph(model):
    """What each layer is called on, as names by name, and how often each layer is used.

    A layer that is called twice, or with more than a tensor, is called on nothing here.
    """
    if isinstance(model, keras.Sequential):
        names = [layer.name for layer in model.layers]
        chain = {after: [before] for before, after in itertools.pairwise(names)}
        return chain, collections.Counter(names)
    config = model.get_config()
    outputs = keras.tree.flatten(config["output_layers"])  # names, and numbers of nodes
    sources, uses = {}, collections.Counter(each for each in outputs if isinstance(each, str))
    for entry in config["layers"]:
        nodes = entry["inbound_nodes"]
        uses.update(_histories(nodes))
        if len(nodes) == 1 and not any(value is not None for value in nodes[0]["kwargs"].values()):
            sources[entry["name"]] = _histories(nodes[0]["args"])
    return sources, uses


def _histories(part):
    """The names of the layers whose outputs a part of a functional config refers to."""
    if isinstance(part, dict) and "keras_history" in part:
        return [part["keras_history"][0]]
    if isinstance(part, dict):
        part = list(part.values())
    is_list = isinstance(part, (list, tuple))
    return [name for value in part for name in _histories(value)] if is_list else []
