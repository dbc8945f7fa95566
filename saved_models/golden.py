"""Outputs that were stored when an artefact was made: what it gives today must be near them."""

import keras
import numpy as np

from saved_models.artefact import CLASSIFIER, FEATURE_VECTOR, OUTPUTS

GOLDEN_IMAGES = 16
TOLERANCE = 1e-5
# Folding a RepMLPNet adds its numbers up in another order, over matrices of a whole map: rounding
# of float32 alone comes near 1e-5.
DEPLOYED_TOLERANCE = 1e-4


def keras_outputs(model, images):
    """Logits and pooled features of a Keras model, in one pass.

    Args:
        model: a `VisionModel` with top.
        images: uint8 (B, H, W, C).

    Returns:
        A dict: "logits", float32 (B, K); "features", float32 (B, D).
    """
    both = keras.Model(model.input, {"logits": model.output, "features": features_of(model)})
    outputs = both(images, training=False)
    return {name: np.asarray(output, "float32") for name, output in outputs.items()}


def features_of(model):
    """Symbolic: what the classifier of a model sees."""
    return model.get_layer("head").input


def tolerance_of(form):
    """How far the SavedModels of a form ("deployed", "training" or None) may be from Keras."""
    return DEPLOYED_TOLERANCE if form == "deployed" else TOLERANCE


def difference(outputs, expected):
    """Largest absolute difference; nan where one is not a number, inf where shapes differ."""
    outputs = np.asarray(outputs)
    if outputs.shape != expected.shape:
        return float("inf")
    return float(np.abs(outputs - expected).max())


def golden_problems(name, outputs, expected, tolerance):
    """One sentence if outputs are too far from the stored ones, else none.

    The tolerance is for numbers up to 1; it grows with larger ones, as rounding does.
    """
    allowed = tolerance * max(1.0, float(np.abs(expected).max()))
    found = difference(outputs, expected)
    if found <= allowed:
        return []
    return [f"{name}: its outputs differ from golden.npz by {found:.1e}, {allowed:.1e} is allowed."]


def keras_problems(model, golden):
    """Whether a Keras model still gives the stored logits and features."""
    outputs = keras_outputs(model, golden["images"])
    return [
        problem
        for key, output in outputs.items()
        for problem in golden_problems(f"model.keras, {key}", output, golden[key], TOLERANCE)
    ]


def agreement(classifier, feature_vector, golden):
    """Largest difference of each SavedModel to the Keras model on the golden images."""
    loaded = {CLASSIFIER: classifier, FEATURE_VECTOR: feature_vector}
    return {
        name: difference(loaded[name](golden["images"]), golden[key])
        for name, key in OUTPUTS.items()
    }
