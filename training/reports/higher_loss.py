"""Why a run's training loss may stand above its validation loss: rarely a fault."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from training.config import Augment

_MIXING = ("mixup", "cutmix")
# Values that change no image by themselves.
_INERT = (*_MIXING, "mix", "share", "aspect", "operations", "repeats", "erase_area")


def why_training_loss_is_higher(entry: Mapping[str, Any], config: Mapping[str, Any]) -> str | None:
    """Explains the gap at the end of a learning curve.

    Args:
        entry: the last entry of `history.jsonl`.
        config: the run's config, as stored; keys that it lacks have their defaults.

    Returns:
        A sentence, or None if the training loss is not the larger one.
    """
    losses = [entry.get(part, {}).get("loss") for part in ("train", "validation")]
    if None in losses or losses[0] <= losses[1]:
        return None
    reasons = [*_reasons(config), "it is a mean over steps in which the model still improved"]
    return (
        f"The training loss ({losses[0]:.3f}) stands above the validation loss ({losses[1]:.3f}). "
        f"That is expected: {'; '.join(reasons)}."
    )


def _reasons(config: Mapping[str, Any]) -> list[str]:
    augment, optimizer = config.get("augment", {}), config.get("optimizer", {})
    arguments = config.get("model", {}).get("arguments", {})
    reasons = []
    if optimizer.get("loss", "softmax") == "sigmoid":
        reasons.append("it is another loss, binary cross-entropy summed over the classes")
    if smoothing := optimizer.get("label_smoothing", 0):
        reasons.append(f"its labels are smoothed by {smoothing:g}, so that it stays above 0")
    defaults = dataclasses.asdict(Augment())
    if any(
        augment.get(key, value) != value for key, value in defaults.items() if key not in _INERT
    ):
        reasons.append("it is measured on augmented images, which are harder")
    if any(augment.get(key, 0) for key in _MIXING):
        reasons.append("its images and labels are mixed")
    if arguments.get("dropout_rate") or arguments.get("drop_path_rate"):
        reasons.append("it is measured with dropout or drop path")
    if optimizer.get("ema", 0):
        reasons.append("validation uses averaged weights")
    return reasons
