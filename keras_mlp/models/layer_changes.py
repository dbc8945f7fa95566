"""What was changed in the layers of a built model: quantization, LoRA factors, freezing.

Keras keeps such changes in the configs of the layers. Our models are rebuilt from their own
arguments, and blocks build their layers themselves, so the changes are a part of the model's config
here: read from one model, made again in another.
"""

import contextlib
import gc
import json
import warnings

import keras

from keras_mlp.layers.tree import children

KINDS = ("quantized", "lora", "frozen")


def changes_of(model):
    """The changes of a model, in plain Python.

    Paths are names joined by "/", as in the paths of weights: "block_0/channel_mlp/fc1".

    Returns:
        A dict of three. "quantized": from the path of a layer to the serialized configuration of
        its quantization. "lora": from the path of a layer to {"rank", "alpha"}. "frozen": a list of
        the paths of frozen layers, without those inside them, and of frozen weights of layers that
        are not frozen.
    """
    layers = layers_by_path(model)
    quantized = {
        path: _as_in_file(keras.saving.serialize_keras_object(layer.quantization_config))
        for path, layer in layers.items()
        if is_quantized(layer)
    }
    lora = {
        path: {"rank": layer.lora_rank, "alpha": layer.lora_alpha}
        for path, layer in layers.items()
        if has_lora(layer)
    }
    frozen = [path for layer in model.layers for path in _frozen(layer, layer.name)]
    return {"quantized": quantized, "lora": lora, "frozen": frozen}


def make_changes(model, changes):
    """Makes changes, as `changes_of` gives them, in a model that has none.

    Weights that the changes add have initial values.

    Raises:
        ValueError: a path is not one of the model.
    """
    layers = layers_by_path(model)
    with quantizing():
        for path, config in changes.get("quantized", {}).items():
            config = keras.saving.deserialize_keras_object(config)
            _find(layers, path).quantize(config=config)
    for path, factors in changes.get("lora", {}).items():
        layer = _find(layers, path)
        layer.enable_lora(factors["rank"], lora_alpha=factors["alpha"])
        layer.trainable = True  # Keras has frozen the kernel; whether it is, `frozen` says
    things = layers_and_weights_by_path(model)
    for path in changes.get("frozen", ()):
        _find(things, path).trainable = False


@contextlib.contextmanager
def quantizing():
    """Spares the block inside it two habits of Keras' quantization, one slow and one loud."""
    gc.freeze()  # Keras collects garbage once per layer; this is quick where little is new
    try:
        with warnings.catch_warnings():
            # Of each layer without a quantized form, every norm say, Keras warns that it has none.
            warnings.filterwarnings("ignore", message=".*not have a `quantize` method")
            yield
    finally:
        gc.unfreeze()


def layers_by_path(model):
    """From path to layer, for all layers at any depth, each before those inside it."""
    layers = {}
    for layer in model.layers:
        _collect(layer, layer.name, layers)
    return layers


def layers_and_weights_by_path(model):
    """All that can be frozen: from path to layer, and to weight that was made to be trained."""
    layers = layers_by_path(model)
    weights = {
        f"{path}/{weight.name}": weight
        for path, layer in layers.items()
        for weight in _own_weights(layer)
    }
    return {**layers, **weights}


def is_quantized(layer):
    """Whether the layer's own weights are quantized."""
    return layer.quantization_mode is not None


def has_lora(layer):
    """Whether the layer has LoRA factors."""
    return getattr(layer, "lora_enabled", False)


def _collect(layer, path, layers):
    layers[path] = layer
    for part in children(layer):
        _collect(part, f"{path}/{part.name}", layers)


def _own_weights(layer):
    # Keras has no public name for the weights of a layer itself that were made to be trained.
    return layer._trainable_variables


def _frozen(layer, path):
    if not layer.trainable:
        return [path] if layer.weights else []
    paths = [f"{path}/{weight.name}" for weight in _own_weights(layer) if not weight.trainable]
    for part in children(layer):
        paths += _frozen(part, f"{path}/{part.name}")
    return paths


def _find(things, path):
    if path not in things:
        raise ValueError(f"The config changes {path}, which the model does not have.")
    return things[path]


def _as_in_file(config):
    # JSON turns tuples into lists; configs before and after are to be equal.
    return json.loads(json.dumps(config))
