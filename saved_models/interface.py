"""The interface a SavedModel must offer: TF Hub's reusable interface and serving signatures."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_mlp.errors import first_line
from keras_mlp.typing import Array
from saved_models.golden import golden_problems

SIGNATURES = {"serving_default": "images", "serving_uint8": "pixels", "serving_bytes": "encoded"}


def interface_problems(
    name: str,
    loaded: Any,
    pixels: Array,
    expected: Array,
    tolerance: float,
    features: Sequence[str] = (),
) -> list[str]:
    """What a loaded SavedModel lacks, as sentences.

    Args:
        name: the SavedModel's name, for the sentences.
        loaded: what `tf.saved_model.load` returned.
        pixels: uint8 images (B, H, W, C).
        expected: the output that every endpoint must give for them, (B, K).
        tolerance: as for `golden_problems`.
        features: names of the maps that `features` and `serving_features` must give.

    Returns:
        A list of sentences, empty if nothing is missing.
    """
    problems = _attribute_problems(name, loaded, features)
    if problems:
        return problems
    problems += _list_problems(name, loaded)
    for endpoint, call in _endpoints(loaded, pixels).items():
        try:
            problems += golden_problems(f"{name}, {endpoint}", call(), expected, tolerance)
        except Exception as error:  # a graph can raise anything; its error is the problem
            problems.append(f"{name}, {endpoint}: {first_line(error)}")
    return problems + (_feature_problems(name, loaded, pixels, features) if features else [])


def _attribute_problems(name: str, loaded: Any, features: Sequence[str]) -> list[str]:
    if not callable(loaded):
        return [f"{name}: the loaded object cannot be called."]
    lists = ("variables", "trainable_variables", "regularization_losses")
    wanted = [*lists, "serve", "train", *(["features"] if features else [])]
    problems = [f"{name}: it has no `{each}`." for each in wanted if not hasattr(loaded, each)]
    signatures = [*SIGNATURES, *(["serving_features"] if features else [])]
    missing = [each for each in signatures if each not in loaded.signatures]
    return problems + [f"{name}: it has no signature {each!r}." for each in missing]


def _list_problems(name: str, loaded: Any) -> list[str]:
    known = {id(variable) for variable in loaded.variables}
    strangers = [v.name for v in loaded.trainable_variables if id(v) not in known]
    problems = [f"{name}: {each} is trainable but not in `variables`." for each in strangers]
    if not list(loaded.trainable_variables):
        problems.append(f"{name}: it has no trainable variable.")
    losses = [loss() for loss in loaded.regularization_losses]
    problems += [
        f"{name}: a regularization loss is {loss!r}, not a finite number."
        for loss in losses
        if loss.shape.rank != 0 or not np.isfinite(loss)
    ]
    return problems


def _endpoints(loaded: Any, pixels: Array) -> dict[str, Callable[[], tf.Tensor]]:
    """Every way to call the model, as functions without arguments that must agree.

    Training mode may drop units at random; `saved_models.learning` checks it instead.
    """
    images = tf.constant(pixels.astype("float32") / 255.0)
    pixels = tf.constant(pixels)
    served = {
        "serving_default": images,
        "serving_uint8": pixels,
        "serving_bytes": tf.stack([tf.io.encode_png(each) for each in pixels]),
    }

    def signature(key: str) -> Callable[[], tf.Tensor]:
        return lambda: _only(loaded.signatures[key](**{SIGNATURES[key]: served[key]}))

    return {
        "__call__": lambda: loaded(pixels),
        "__call__ of floats": lambda: loaded(images, training=False),
        "serve": lambda: loaded.serve(pixels),
        **{key: signature(key) for key in SIGNATURES},
    }


def _only(outputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """The only output of a signature."""
    (key, output), *others = outputs.items()
    if others or key not in ("logits", "default"):
        raise ValueError(f"it gives {sorted(outputs)} instead of 'logits' or 'default'.")
    return output


def _feature_problems(name: str, loaded: Any, pixels: Array, features: Sequence[str]) -> list[str]:
    """Problems with the feature maps: each must be there, float32 and finite, also when served."""
    maps = loaded.features(tf.constant(pixels))
    images = tf.constant(pixels.astype("float32") / 255.0)
    served = loaded.signatures["serving_features"](images=images)
    problems = []
    for given, where in ((maps, "features"), (served, "serving_features")):
        if sorted(given) != sorted(features):
            problems.append(f"{name}, {where}: it gives {sorted(given)}, not {sorted(features)}.")
        problems += [
            f"{name}, {where}: {key} is not float32 and finite."
            for key, value in given.items()
            if value.dtype != tf.float32 or not np.isfinite(value).all()
        ]
    return problems
