"""Whether a loaded SavedModel learns: one training step must move its weights."""

import numpy as np
import tensorflow as tf

# Weights without a gradient, whatever the images: what they add is taken away again behind them.
# A step moves them by rounding, or not at all.
_UNMOVED = {
    ("MLPMixer", "FFOnly"): (
        ("token_mlp/fc2/bias",),
        "adds one number to all channels of a token, which LayerNorms subtract",
    ),
    ("ViT",): (
        ("attention/key/bias",),
        "adds one number to all scores of a query, which the softmax takes away",
    ),
    ("RepMLPNet",): (
        ("norm2/beta", "ffn/fc2_norm/beta"),
        "adds one number to a whole channel, which BatchNorms in training subtract",
    ),
}
_LEARNING_RATE = 0.1


def unmoved(architecture):
    """Which weights of an architecture a training step need not move.

    Args:
        architecture: name of its class.

    Returns:
        (how their names end, why); an empty tuple and None where all must move.
    """
    for architectures, row in _UNMOVED.items():
        if architecture in architectures:
            return row
    return (), None


def learning_problems(name, loaded, images, architecture):
    """Takes one step of gradient descent and says which weights did not move, as sentences.

    The loss is the mean square of the outputs plus the regularization losses: it needs no labels
    and depends on all of them. The variables of `loaded` stay moved.

    Args:
        name: of the SavedModel, for the sentences.
        loaded: by `tf.saved_model.load`.
        images: uint8 (B, H, W, C).
        architecture: name of the class, which says what may stay.
    """
    weights = list(loaded.trainable_variables)
    before = [weight.numpy() for weight in weights]
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(loaded(tf.constant(images), training=True) ** 2)
        loss = tf.add_n([loss, *(each() for each in loaded.regularization_losses)])
    if not np.isfinite(loss):
        return [f"{name}: the loss of a training step is {loss:.3g}."]
    for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True):
        if gradient is not None:
            weight.assign_sub(_LEARNING_RATE * tf.convert_to_tensor(gradient))
    ends, _ = unmoved(architecture)
    return [
        f"{name}: a training step does not move {weight.name}."
        for weight, old in zip(weights, before, strict=True)
        if np.array_equal(weight.numpy(), old) and not weight.name.split(":")[0].endswith(ends)
    ]
