"""Optimizers with their learning-rate schedule."""

import keras

import keras_mlp
from training.engine.lamb import Lamb
from training.engine.low_precision_momentum import LowPrecisionMomentum
from training.engine.schedules import WarmUpAndDecay


def build_optimizer(
    optimizer, model, *, total_steps, steps_per_epoch, layer_decay=1.0, dtype="float32"
):
    """A built Keras optimizer, with decay on kernels only (no bias, norm, scale or position).

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

    def make(scale):
        schedule = _schedule(optimizer, scale, total_steps, steps_per_epoch)
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


def _schedule(optimizer, scale, total_steps, steps_per_epoch):
    warmup = optimizer.warmup_steps or round(optimizer.warmup_epochs * steps_per_epoch)
    return WarmUpAndDecay(
        optimizer.learning_rate * scale,
        total_steps,
        warmup_steps=min(warmup, total_steps - 1),
        cooldown_steps=round(optimizer.cooldown_epochs * steps_per_epoch),
        start=optimizer.warmup_from * scale,
        end=optimizer.final_learning_rate * scale,
        shape=optimizer.schedule,
    )


def _make(optimizer, schedule):
    decay = optimizer.weight_decay or None
    if optimizer.name == "lamb":
        return Lamb(
            schedule,
            weight_decay=optimizer.weight_decay,
            beta_2=optimizer.beta_2,
            epsilon=optimizer.epsilon,
        )
    if optimizer.name == "adamw":
        return keras.optimizers.AdamW(
            schedule,
            weight_decay=optimizer.weight_decay,
            beta_2=optimizer.beta_2,
            epsilon=optimizer.epsilon,
        )
    if optimizer.momentum_dtype == "bfloat16":
        return LowPrecisionMomentum(schedule, momentum=optimizer.momentum, weight_decay=decay)
    nesterov = optimizer.nesterov and optimizer.momentum > 0
    return keras.optimizers.SGD(
        schedule, momentum=float(optimizer.momentum), nesterov=nesterov, weight_decay=decay
    )


def _without_decay_of_vectors(built, optimizer, model):
    if optimizer.weight_decay:
        kept = [v for v in model.trainable_variables if not v.path.endswith("kernel")]
        built.exclude_from_weight_decay(var_list=kept)
    return built
