"""Optimizers with their learning-rate schedule."""

import keras

import keras_mlp
from keras_mlp.typing import Tensor
from training.config import Optimizer
from training.engine.chosen import engine_module
from training.engine.lamb import Lamb
from training.engine.low_precision_momentum import LowPrecisionMomentum
from training.engine.schedules import WarmUpAndDecay


def build_optimizer(
    optimizer: Optimizer,
    model: keras.Model,
    *,
    total_steps: int,
    steps_per_epoch: float,
    layer_decay: float = 1.0,
    dtype: str = "float32",
) -> keras.optimizers.Optimizer:
    """Builds a Keras optimizer with weight decay on kernels only.

    Biases, norms, scales and position embeddings have no weight decay. The optimizer does not clip
    gradients: Keras would clip on each replica, before the sum.

    Args:
        optimizer: a `training.config.Optimizer`.
        model: the model to optimize.
        total_steps: length of the schedule.
        steps_per_epoch: converts warm-up epochs into steps; may be a fraction.
        layer_decay: factor of the learning rate per block, from the head to the stem; unless it is
            1, the model must be a `keras_mlp` model.
        dtype: Keras dtype policy of the model; "mixed_float16" adds a loss scale.

    Returns:
        A `keras.optimizers.Optimizer`.

    Raises:
        ValueError: `layer_decay` with a loss scale.
    """
    scaled = dtype == "mixed_float16"
    if scaled and layer_decay != 1:
        raise ValueError('`transfer.layer_decay` must be 1 with `runtime.dtype="mixed_float16"`.')

    def make(scale: float) -> keras.optimizers.Optimizer:
        schedule = _schedule(optimizer, scale, total_steps, steps_per_epoch)
        return _without_decay_of_vectors(_make(optimizer, schedule), optimizer, model)

    built = make(1.0) if layer_decay == 1 else keras_mlp.layer_decay(model, make, layer_decay)
    if scaled:
        built = keras.optimizers.LossScaleOptimizer(built)
    built.build(model.trainable_variables)
    return built


def learning_rate(optimizer: keras.optimizers.Optimizer) -> Tensor:
    """The current learning rate, a scalar tensor; with layer decay, that of the classifier."""
    if isinstance(optimizer, keras.optimizers.MultiOptimizer):
        optimizer = optimizer.optimizers[-1]  # the default, for variables that match no pattern
    return optimizer.learning_rate


def _schedule(
    optimizer: Optimizer, scale: float, total_steps: int, steps_per_epoch: float
) -> WarmUpAndDecay:
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


def _make(optimizer: Optimizer, schedule: WarmUpAndDecay) -> keras.optimizers.Optimizer:
    decay = optimizer.weight_decay or None
    if optimizer.name == "lamb":
        return Lamb(
            schedule,
            weight_decay=optimizer.weight_decay,
            beta_2=optimizer.beta_2,
            epsilon=optimizer.epsilon,
        )
    if optimizer.name == "adamw":
        return engine_module().AdamW(
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


def _without_decay_of_vectors(
    built: keras.optimizers.Optimizer, optimizer: Optimizer, model: keras.Model
) -> keras.optimizers.Optimizer:
    if optimizer.weight_decay:
        kept = [v for v in model.trainable_variables if not v.path.endswith("kernel")]
        built.exclude_from_weight_decay(var_list=kept)
    return built
