"""Gradient checkpointing of a layer that may be random, and may hold moving statistics."""

import keras
from keras import ops

# Keras has no public name for reading a variable as it is stored while a policy casts all others.
from keras.src.backend import AutocastScope


def rematerialized(layer, function, inputs):
    """`function(inputs)`, computed again in the backward pass, for which only `inputs` are kept.

    `keras.remat` alone runs the function in both passes with all its effects: random layers would
    draw other numbers in the second, so that the gradients were those of another network, and
    BatchNorm would move its statistics twice. Here both passes start from the state that the
    layer's variables have now, and the changes of the first are made once.

    Args:
        layer: built layer that holds every variable that the function reads.
        function: from the inputs to a tensor or a structure of tensors. It calls layers inside
            `layer` and reads no variable by itself.
        inputs: tensor.

    Returns:
        What the function returns.

    Raises:
        ValueError: a layer inside adds a loss, which would be lost.
    """
    weights, state = layer.trainable_variables, layer.non_trainable_variables
    with AutocastScope(None):
        values, start = list(map(_read, weights)), list(map(_read, state))

    # Only what is an argument gets a gradient on every backend: hence the values of the weights.
    @keras.remat
    def run(inputs, *values):
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


def _read(variable):
    # An operation: without one TensorFlow would read the variable where its value is used, later.
    return ops.reshape(variable.value, variable.shape)


def _check_no_loss(layer, scope):
    if scope.losses:
        raise ValueError(
            f"`remat` of {layer.name} would lose a loss that a layer inside it adds, such as an "
            "activity regularizer's. Build the model with remat=False."
        )
