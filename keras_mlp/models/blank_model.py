"""Models that get their weights from elsewhere."""

from collections.abc import Callable
from typing import Any, TypeVar

import keras

from keras_mlp.layers.initializers import GroupedOrthogonal

_T = TypeVar("_T", bound=keras.Model)
_DRAWN = (
    keras.initializers.RandomNormal,
    keras.initializers.RandomUniform,
    keras.initializers.TruncatedNormal,
    keras.initializers.VarianceScaling,
    GroupedOrthogonal,
)


def blank_model(make: Callable[..., _T], *args: Any, **kwargs: Any) -> _T:
    """Builds a model without drawing the random weights that a file or another model replaces.

    Drawing them takes longer than all the rest. They are zeros instead. The classifier has its
    usual initial values, for other classes than the file's.

    Args:
        make: function that builds a model without assigning a weight.
        *args, **kwargs: its arguments.

    Returns:
        What `make` returns.
    """
    # Inside the scope variables have shapes only; Keras gives them their values when it ends.
    with keras.StatelessScope():
        model = make(*args, **kwargs)
        for weight in model.weights:
            if isinstance(weight._initializer, _DRAWN) and not weight.path.startswith("head/"):
                weight._initializer = keras.initializers.Zeros()
    return model
