"""Optimizers and their learning-rate schedule."""

import keras

import keras_mlp


def build_optimizer(
    optimizer, model, *, total_steps, steps_per_epoch, layer_decay=1.0, dtype="float32"
):
    """A built Keras optimizer: linear warm-up, cosine to 0, decay on kernels only.

    Gradient clipping is not part of it: Keras would clip on each replica, before the sum.

    Args:
        optimizer: a `training.config.Optimizer`.
        model: whose trainable variables are optimized.
        total_steps: length of the schedule.
        steps_per_epoch: to turn the warm-up into steps; may be a fraction.
        layer_decay: factor of the learning rate per block, from the head to the stem; other than
            1, the model must be one of `keras_mlp`.
        dtype: Keras dtype policy of the model; "mixed_float16" gets a loss scale.

    Returns:
        A `keras.optimizers.Optimizer`.

    Raises:
        ValueError: `layer_decay` with a loss scale.
    """
    scaled = dtype == "mixed_float16"
    if scaled and layer_decay != 1:
        raise ValueError('`transfer.layer_decay` does not go with `runtime.dtype="mixed_float16"`.')
    warmup_steps = min(round(optimizer.warmup_epochs * steps_per_epoch), total_steps - 1)

    def make(scale):
        schedule = _schedule(optimizer.learning_rate * scale, warmup_steps, total_steps)
        return _without_decay_of_vectors(_make(optimizer, schedule), optimizer, model)

    built = make(1.0) if layer_decay == 1 else keras_mlp.layer_decay(model, make, layer_decay)
    if scaled:
        built = keras.optimizers.LossScaleOptimizer(built)
    built.build(model.trainable_variables)
    return built


def learning_rate(optimizer):
    """The present learning rate, of the classifier where it differs by depth; a scalar tensor."""
    if isinstance(optimizer, keras.optimizers.MultiOptimizer):
        optimizer = optimizer.optimizers[-1]  # that of all that no pattern matches
    return optimizer.learning_rate


def _schedule(peak, warmup_steps, total_steps):
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps else peak,
        decay_steps=total_steps - warmup_steps,
        warmup_target=peak if warmup_steps else None,
        warmup_steps=warmup_steps,
    )


def _make(optimizer, schedule):
    if optimizer.name == "sgd":
        return keras.optimizers.SGD(
            schedule,
            momentum=optimizer.momentum,
            nesterov=optimizer.momentum > 0,
            weight_decay=optimizer.weight_decay or None,
        )
    return keras.optimizers.AdamW(
        schedule, weight_decay=optimizer.weight_decay, beta_2=optimizer.beta_2
    )


def _without_decay_of_vectors(built, optimizer, model):
    if optimizer.weight_decay:
        kept = [v for v in model.trainable_variables if not v.path.endswith("kernel")]
        built.exclude_from_weight_decay(var_list=kept)
    return built
