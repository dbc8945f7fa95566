"""A warning about a loss that cannot learn from what a model returns."""

import inspect
import warnings
from typing import Any

import keras

# Losses of probabilities without an argument `from_logits`, as Keras' functions.
_OF_PROBABILITIES = (
    keras.losses.kl_divergence,
    keras.losses.poisson,
    keras.losses.dice,
    keras.losses.tversky,
    keras.losses.categorical_generalized_cross_entropy,
)


def warn_about_losses(model: Any, losses: Any) -> None:
    """Warns of losses that expect probabilities from logits, or logits from probabilities.

    Args:
        model: a `VisionModel` with a classifier.
        losses: what `compile` takes as `loss`.
    """
    for loss in keras.tree.flatten(losses):
        takes_logits = _takes_logits(loss)
        if takes_logits is False and model.classifier_activation is None:
            ways = ["build the model with `classifier_activation`='softmax' (or 'sigmoid')"]
            if _from_logits(keras.losses.get(loss)) is not None:
                ways.insert(0, "give the loss as an object with from_logits=True")
            warnings.warn(
                f"{model.name} returns logits and the loss {_shown(loss)} expects probabilities: "
                f"training would not learn. To fix it, {', or '.join(ways)}.",
                stacklevel=3,
            )
        elif takes_logits and model.classifier_activation is not None:
            warnings.warn(
                f"{model.name} returns probabilities (`classifier_activation`="
                f"{model.classifier_activation!r}) and the loss {_shown(loss)} expects logits. To "
                "fix it, remove from_logits=True from the loss, or build the model with "
                "`classifier_activation`=None.",
                stacklevel=3,
            )


def _takes_logits(loss: Any) -> bool | None:
    """Whether a loss takes logits (True) or probabilities (False); None for any other loss."""
    found = None if loss is None else keras.losses.get(loss)
    from_logits = _from_logits(found)
    if from_logits is not None:
        return from_logits
    return False if getattr(found, "fn", found) in _OF_PROBABILITIES else None


def _from_logits(loss: Any) -> bool | None:
    """The argument `from_logits` of a loss, a function or an object; None if it has none."""
    if isinstance(loss, keras.losses.Loss):
        value = loss.get_config().get("from_logits", getattr(loss, "from_logits", None))
    elif callable(loss):
        parameter = inspect.signature(loss).parameters.get("from_logits")
        value = None if parameter is None else parameter.default
    else:
        value = None
    return value if isinstance(value, bool) else None


def _shown(loss: Any) -> str:
    if isinstance(loss, str):
        return repr(loss)
    return getattr(loss, "__name__", None) or type(loss).__name__
