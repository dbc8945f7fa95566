"""Changes to the layers of a built model: quantization, LoRA factors, freezing.

Keras keeps such changes in the configs of the layers. Our models are rebuilt from their own
arguments, and composite layers create their own layers, so their configs hold the changes here:
they are read from one model or composite layer and repeated in another.
"""

import contextlib
import gc
import json
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import keras

from keras_mlp.layers.tree import children
from keras_mlp.typing import Config

KINDS = ("quantized", "lora", "frozen")

_Thing = TypeVar("_Thing")


def changes_of(whole: keras.layers.Layer) -> Config:
    """The changes to a model, or to what is inside a layer, in plain Python.

    Paths are names joined by "/", as in the paths of weights: "block_0/channel_mlp/fc1" in a model,
    "channel_mlp/fc1" in its block.

    Returns:
        A dict with three keys. "quantized" maps the path of a layer to its serialized quantization
        config. "lora" maps the path of a layer to {"rank", "alpha"}. "frozen" lists the paths of
        frozen layers, without the layers inside them, and of frozen weights in layers that are not
        frozen.
    """
    layers = layers_by_path(whole)
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
    frozen = [weight.name for weight in _own_weights(whole) if not weight.trainable]
    for layer in _parts(whole):
        frozen += _frozen(layer, layer.name)
    return {"quantized": quantized, "lora": lora, "frozen": frozen}


def make_changes(whole: keras.layers.Layer, changes: Mapping[str, Any]) -> None:
    """Repeats the changes that `changes_of` returned in a model or layer without any.

    Weights that the changes add have initial values. Layers that Keras has quantized, or given LoRA
    factors, from their own configs stay as they are.

    Args:
        whole: a built model or layer.
        changes: a dict with the keys that `changes_of` returns; other keys are ignored.

    Raises:
        ValueError: one of the paths does not exist.
    """
    layers = layers_by_path(whole)
    with quantizing():
        for path, config in changes.get("quantized", {}).items():
            config = keras.saving.deserialize_keras_object(config)
            if not is_quantized(layer := _find(layers, path)):
                layer.quantize(config=config)
    for path, factors in changes.get("lora", {}).items():
        layer = _find(layers, path)
        if not has_lora(layer):
            layer.enable_lora(factors["rank"], lora_alpha=factors["alpha"])
        layer.trainable = True  # `enable_lora` froze the kernel; `frozen` says whether it is
    things = layers_and_weights_by_path(whole)
    for path in changes.get("frozen", ()):
        freeze(_find(things, path))


def freeze(thing: keras.layers.Layer | keras.Variable) -> None:
    """Freezes a layer, with all layers inside it, or a weight."""
    # A layer that its own config froze has layers inside that were built later and are still
    # trainable, and on TensorFlow setting an attribute to its present value does nothing.
    thing.trainable = True
    thing.trainable = False


def unfreeze(thing: keras.layers.Layer | keras.Variable) -> None:
    """Lets a layer learn, with all layers inside it, or a weight."""
    # As in `freeze`: layers inside may be frozen although this one is not.
    thing.trainable = False
    thing.trainable = True


def without_head(changes: Mapping[str, Any]) -> Config:
    """The changes to all layers but the classifier, which a new one does not inherit.

    Args:
        changes: a dict with the keys that `changes_of` returns; other keys are ignored.
    """
    return {kind: _outside_head(changes[kind]) for kind in KINDS if kind in changes}


@contextlib.contextmanager
def quantizing() -> Iterator[None]:
    """Quantization in the `with` block is quick and does not warn of layers it leaves alone."""
    gc.freeze()  # Keras collects garbage once per layer: this keeps each collection short
    try:
        with warnings.catch_warnings():
            # Keras warns of every layer without a quantized form, such as each norm.
            warnings.filterwarnings("ignore", message=".*not have a `quantize` method")
            yield
    finally:
        gc.unfreeze()


def layers_by_path(whole: keras.layers.Layer) -> dict[str, keras.layers.Layer]:
    """From path to layer, for all layers at any depth, each before the layers inside it."""
    layers: dict[str, keras.layers.Layer] = {}
    for layer in _parts(whole):
        _collect(layer, layer.name, layers)
    return layers


def layers_and_weights_by_path(
    whole: keras.layers.Layer,
) -> dict[str, keras.layers.Layer | keras.Variable]:
    """All that can be frozen: from path to layer, and to weight created as trainable."""
    layers = layers_by_path(whole)
    weights = {
        f"{path}/{weight.name}": weight
        for path, layer in layers.items()
        for weight in _own_weights(layer)
    }
    return {**layers, **{weight.name: weight for weight in _own_weights(whole)}, **weights}


def is_quantized(layer: keras.layers.Layer) -> bool:
    """Whether the layer's own weights are quantized."""
    return layer.quantization_mode is not None


def has_lora(layer: keras.layers.Layer) -> bool:
    """Whether the layer has LoRA factors."""
    return getattr(layer, "lora_enabled", False)


def _parts(whole: keras.layers.Layer) -> list[keras.layers.Layer]:
    return whole.layers if isinstance(whole, keras.Model) else children(whole)


def _collect(layer: keras.layers.Layer, path: str, layers: dict[str, keras.layers.Layer]) -> None:
    layers[path] = layer
    for part in children(layer):
        _collect(part, f"{path}/{part.name}", layers)


def _own_weights(layer: keras.layers.Layer) -> list[keras.Variable]:
    # Keras has no public name for the weights of the layer itself that were created as trainable.
    return layer._trainable_variables


def _frozen(layer: keras.layers.Layer, path: str) -> list[str]:
    if not layer.trainable:
        return [path] if layer.weights else []
    paths = [f"{path}/{weight.name}" for weight in _own_weights(layer) if not weight.trainable]
    for part in children(layer):
        paths += _frozen(part, f"{path}/{part.name}")
    return paths


def _outside_head(changes: Any) -> Any:
    """A list of paths, or a dict whose keys are paths, without those of the head."""
    kept = [path for path in changes if path.split("/")[0] != "head"]
    return {path: changes[path] for path in kept} if isinstance(changes, dict) else kept


def _find(things: Mapping[str, _Thing], path: str) -> _Thing:
    if path not in things:
        raise ValueError(f"The config changes {path}, which the model does not have.")
    return things[path]


def _as_in_file(config: Any) -> Any:
    # JSON turns tuples into lists; a config must be equal before and after.
    return json.loads(json.dumps(config))  # noqa: TID251, no file is written
