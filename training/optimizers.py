"""Optimizers and their learning-rate schedule."""

import keras


def build_optimizer(optimizer, model, *, total_steps, steps_per_epoch):
    """A built Keras optimizer: linear warm-up, cosine to 0, decay on kernels only.

    Gradient clipping is not part of it: Keras would clip on each replica, before the sum.

    Args:
        optimizer: a `training.config.Optimizer`.
        model: whose trainable variables are optimized.
        total_steps: length of the schedule.
        steps_per_epoch: to turn the warm-up into steps; may be a fraction.

    Returns:
        A `keras.optimizers.Optimizer`.
    """
    warmup_steps = min(round(optimizer.warmup_epochs * steps_per_epoch), total_steps - 1)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps else optimizer.learning_rate,
        decay_steps=total_steps - warmup_steps,
        warmup_target=optimizer.learning_rate if warmup_steps else None,
        warmup_steps=warmup_steps,
    )
    if optimizer.name == "sgd":
        built = keras.optimizers.SGD(
            schedule,
            momentum=optimizer.momentum,
            nesterov=optimizer.momentum > 0,
            weight_decay=optimizer.weight_decay or None,
        )
    else:
        built = keras.optimizers.AdamW(
            schedule, weight_decay=optimizer.weight_decay, beta_2=optimizer.beta_2
        )
    if optimizer.weight_decay:
        kept = [v for v in model.trainable_variables if not v.path.endswith("kernel")]
        built.exclude_from_weight_decay(var_list=kept)
    built.build(model.trainable_variables)
    return built
