"""Golden outputs: stored when an artefact is made, and compared with what it computes today."""

from typing import Any

import keras
import numpy as np

from keras_mlp.typing import Array, Tensor
from saved_models.artefact import CLASSIFIER, FEATURE_VECTOR, OUTPUTS

TOLERANCE = 1e-5
# A folded RepMLPNet sums in another order, with matrices over a whole map: float32 rounding alone
# reaches almost 1e-5.
DEPLOYED_TOLERANCE = 1e-4


def keras_outputs(model: keras.Model, images: Array) -> dict[str, Array]:
    """Logits and pooled features of a Keras model, in one pass.

    Args:
        model: a `VisionModel` with top.
        images: uint8 (B, H, W, C).

    Returns:
        A dict: "logits", float32 (B, K); "features", float32 (B, D).
    """
    both = keras.Model(
        model.input, {"logits": model.get_layer("head").output, "features": features_of(model)}
    )
    outputs = both(images, training=False)
    return {name: np.asarray(output, "float32") for name, output in outputs.items()}


def features_of(model: keras.Model) -> Tensor:
    """The symbolic input of a model's classification head."""
    return model.get_layer("head").input


def tolerance_of(form: str | None) -> float:
    """The tolerance for SavedModels in a form: "deployed", "training" or None."""
    return DEPLOYED_TOLERANCE if form == "deployed" else TOLERANCE


def difference(outputs: Tensor, expected: Array) -> float:
    """The largest absolute difference: nan if a value is nan, inf if the shapes differ."""
    outputs = np.asarray(outputs)
    if outputs.shape != expected.shape:
        return float("inf")
    return float(np.abs(outputs - expected).max())


def golden_problems(name: str, outputs: Tensor, expected: Array, tolerance: float) -> list[str]:
    """A sentence if outputs differ too much from the stored ones, otherwise an empty list.

    The tolerance holds for values up to 1 and grows with larger ones, as rounding does.
    """
    allowed = tolerance * max(1.0, float(np.abs(expected).max()))
    found = difference(outputs, expected)
    if found <= allowed:
        return []
    return [f"{name}: its outputs differ from golden.npz by {found:.1e}; {allowed:.1e} is allowed."]


def keras_problems(model: keras.Model, golden: dict[str, Array]) -> list[str]:
    """Where a Keras model no longer reproduces the stored logits and features, as sentences."""
    outputs = keras_outputs(model, golden["images"])
    return [
        problem
        for key, output in outputs.items()
        for problem in golden_problems(f"model.keras, {key}", output, golden[key], TOLERANCE)
    ]


def agreement(classifier: Any, feature_vector: Any, golden: dict[str, Array]) -> dict[str, float]:
    """Each SavedModel's largest difference from the Keras model on the golden images."""
    loaded = {CLASSIFIER: classifier, FEATURE_VECTOR: feature_vector}
    return {
        name: difference(loaded[name](golden["images"]), golden[key])
        for name, key in OUTPUTS.items()
    }
