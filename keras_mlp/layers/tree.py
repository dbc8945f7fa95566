"""The layers inside a layer, for which Keras has no public name."""

import keras


def children(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """The layers directly inside a layer or model."""
    return list(layer._flatten_layers(include_self=False, recursive=False))


def sublayers(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """The layers inside a layer or model, at any depth."""
    return list(layer._flatten_layers(include_self=False))
