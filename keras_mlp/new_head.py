"""A trained model for another set of classes."""

from typing import Any

from keras_mlp.arguments import check_positive_int
from keras_mlp.models import VisionModel, check_model
from keras_mlp.models.layer_changes import KINDS


def with_new_head(model: VisionModel, num_classes: int) -> VisionModel:
    """A model with a fresh classifier and the weights of `model` everywhere else.

    Args:
        model: a `VisionModel`, such as `MLPMixer`, with a classifier or without.
        num_classes: number of logits K of the new classifier.

    Returns:
        A new model with the same arguments. Everything but the classifier stays frozen, quantized
        or with LoRA factors as it was. `model` is not changed.

    Raises:
        ValueError: `model` is not a keras_mlp model, or `num_classes` is not a positive integer.

    >>> digits = keras_mlp.MLPMixer.from_variant("pico/2", num_classes=10)
    >>> keras_mlp.with_new_head(digits, 3).output.shape
    (None, 3)
    """
    check_model(model)
    num_classes = check_positive_int("num_classes", num_classes)
    config = {**model.get_config(), "include_top": True, "num_classes": num_classes, "name": None}
    if config["pooling"] is None:
        config["pooling"] = "avg"
    for kind in KINDS:  # the new head learns: no change of the old one applies to it
        config[kind] = _without_head(config[kind])
    new = type(model).from_config(config)
    weights = {weight.path: weight for weight in model.weights}
    for weight in new.weights:
        if not weight.path.startswith("head/"):
            weight.assign(weights[weight.path])
    new.weights_source = model.weights_source
    return new


def _without_head(changes: Any) -> Any:
    """A list of paths, or a dict whose keys are paths, without those of the head."""
    kept = [path for path in changes if path.split("/")[0] != "head"]
    return {path: changes[path] for path in kept} if isinstance(changes, dict) else kept
