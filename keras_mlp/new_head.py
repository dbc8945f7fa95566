"""A trained model for another set of classes."""

from keras_mlp.arguments import check_positive_int
from keras_mlp.models.layer_changes import KINDS


def with_new_head(model, num_classes):
    """A model with a fresh classifier and the weights of `model` everywhere else.

    Args:
        model: of one of the architectures of `keras_mlp`, with a classifier or without.
        num_classes: number of logits K of the new classifier.

    Returns:
        A new model of the same arguments; what is frozen, quantized or has LoRA factors stays so,
        but for the classifier. `model` is not changed.

    Raises:
        ValueError: `num_classes` is no whole number of at least 1.

    >>> digits = keras_mlp.MLPMixer.from_variant("pico/2", num_classes=10)
    >>> keras_mlp.with_new_head(digits, 3).output.shape
    (None, 3)
    """
    num_classes = check_positive_int("num_classes", num_classes)
    config = {**model.get_config(), "include_top": True, "num_classes": num_classes, "name": None}
    if config["pooling"] is None:
        config["pooling"] = "avg"
    for kind in KINDS:  # nothing of what was changed in the old head: the new one is to learn
        config[kind] = _without_head(config[kind])
    new = type(model).from_config(config)
    weights = {weight.path: weight for weight in model.weights}
    for weight in new.weights:
        if not weight.path.startswith("head/"):
            weight.assign(weights[weight.path])
    return new


def _without_head(changes):
    """A list of paths, or a dict whose keys are paths, without those of the head."""
    kept = [path for path in changes if path.split("/")[0] != "head"]
    return {path: changes[path] for path in kept} if isinstance(changes, dict) else kept
