"""A trained model for another set of classes."""

from collections.abc import Sequence

from keras_mlp.arguments import check_positive_int
from keras_mlp.layers.layer_changes import without_head
from keras_mlp.models import VisionModel, check_model


def with_new_head(
    model: VisionModel, num_classes: int, *, class_names: Sequence[str] | None = None
) -> VisionModel:
    """A model with a fresh classifier and the weights of `model` everywhere else.

    Args:
        model: a `VisionModel`, such as `MLPMixer`, with a classifier or without.
        num_classes: number of logits K of the new classifier.
        class_names: names of the new classes, K strings of one line each; None for no names.

    Returns:
        A new model with the same arguments. Everything but the classifier stays frozen, quantized
        or with LoRA factors as it was. `model` is not changed.

    Raises:
        ValueError: `model` is not a keras_mlp model, `num_classes` is not a positive integer, or
            `class_names` are not that many names.

    >>> digits = keras_mlp.MLPMixer.from_variant("pico/2", num_classes=10)
    >>> keras_mlp.with_new_head(digits, 3).output.shape
    (None, 3)
    """
    check_model(model)
    num_classes = check_positive_int("num_classes", num_classes)
    config = {**model.get_config(), "include_top": True, "num_classes": num_classes, "name": None}
    if config["pooling"] is None:
        config["pooling"] = "avg"
    config |= without_head(config)  # the new head learns: no change of the old one applies to it
    config.pop("class_names", None)  # of the old classes
    new = type(model).from_config(config)
    new.class_names = class_names
    weights = {weight.path: weight for weight in model.weights}
    for weight in new.weights:
        if not weight.path.startswith("head/"):
            weight.assign(weights[weight.path])
    new.weights_source = model.weights_source
    return new
