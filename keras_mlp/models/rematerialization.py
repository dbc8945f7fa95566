"""Gradient checkpointing of a layer that may be random, and may hold moving statistics."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

# Keras has no public way to read a variable as it is stored while a policy casts all others.
from keras.src.backend import AutocastScope

from keras_mlp.typing import Tensor


def rematerialized(
    layer: keras.layers.Layer, function: Callable[[Tensor], Any], inputs: Tensor
) -> Any:
    """Computes `function(inputs)` and, keeping only `inputs`, again in the backward pass.

    `keras.remat` alone runs the function with all its side effects in both passes: random layers
    would draw new numbers in the second, giving the gradients of a different network, and BatchNorm
    would update its statistics twice. Here both passes start from the current state of the layer's
    variables, and the updates of the first pass are applied once.

    Args:
        layer: built layer that holds every variable that the function reads.
        function: from the inputs to a tensor or a structure of tensors. It calls layers inside
            `layer` and reads no variables itself.
        inputs: tensor.

    Returns:
        What the function returns.

    Raises:
        ValueError: a layer inside adds a loss, which would be lost.
    """
    weights, state = layer.trainable_variables, layer.non_trainable_variables
    with AutocastScope(None):
        values, start = list(map(_read, weights)), list(map(_read, state))

    # On some backends only arguments get gradients, so the values of the weights are arguments.
    @keras.remat
    def run(inputs: Tensor, *values: Tensor) -> tuple[Any, dict[int, Tensor]]:
        with AutocastScope(None):  # each layer inside casts its own variables
            scope = keras.StatelessScope(
                [*zip(weights, values, strict=True), *zip(state, start, strict=True)],
                collect_losses=True,
                initialize_variables=False,
            )
            with scope:
                before = list(map(scope.get_current_value, state))
                outputs = function(inputs)
        _check_no_loss(layer, scope)
        after = map(scope.get_current_value, state)
        pairs = enumerate(zip(before, after, strict=True))
        return outputs, {i: new for i, (old, new) in pairs if new is not old}

    outputs, changes = run(inputs, *values)
    for i, value in changes.items():
        state[i].assign(value)
    return outputs


def _read(variable: keras.Variable) -> Tensor:
    # An operation: without one TensorFlow would read the variable later, where its value is used.
    return ops.reshape(variable.value, variable.shape)


def _check_no_loss(layer: keras.layers.Layer, scope: keras.StatelessScope) -> None:
    if scope.losses:
        raise ValueError(
            f"`remat` of {layer.name} would lose a loss that a layer inside it adds, such as that "
            "of an activity regularizer. Build the model with remat=False."
        )
