"""A `fit` that is correct on several devices, or says why it cannot be."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from keras_mlp.layers.tree import sublayers
from keras_mlp.models.retraced_model import RetracedModel
from keras_mlp.typing import Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class ReplicatedModel(RetracedModel):
    """A `keras.Model` whose `fit` computes the same on several replicas as on one.

    For a model made under `tf.distribute.MirroredStrategy`, Keras 3.15 silently clips the gradients
    of each replica before it sums them, which gives a different step, and normalizes each
    replica's images by the batch statistics of that replica alone. This `fit` clips the sum and
    uses the statistics of all replicas. It refuses what Keras cannot do there: gradient
    accumulation, weight averages that overwrite the weights, XLA, several workers; and, on
    TensorFlow, a `keras.distribution`, which Keras would ignore. On one device, and on JAX, this is
    a plain `keras.Model`.

    All models of this package are of this class. Use it in place of `keras.Model` around a
    `SavedModelLayer`. It corrects `fit` alone, not `train_on_batch`.

    Raises:
        RuntimeError: in `fit`, as described above.

    Example:

    >>> with tf.distribute.MirroredStrategy().scope():  # doctest: +SKIP
    ...     model = keras_mlp.MLPMixer.from_variant("nano/4", num_classes=10)
    ...     model.compile(keras.optimizers.SGD(0.1, global_clipnorm=1.0), loss)
    >>> model.fit(images, labels)  # doctest: +SKIP
    """

    def fit(self, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        replicas = 1
        if keras.backend.backend() == "tensorflow":
            _check_not_ignored()
            replicas = self.distribute_strategy.num_replicas_in_sync
            if replicas > 1:
                _check_several_replicas(self)
        with synchronized_batch_norm(self) if replicas > 1 else contextlib.nullcontext():
            return super().fit(*args, **kwargs)

    def train_step(self, *args: Any) -> Any:
        if keras.backend.backend() == "tensorflow" and (clipping := _clipping(self.optimizer)):
            import tensorflow as tf

            if tf.distribute.get_strategy().num_replicas_in_sync > 1:
                return self._step_that_clips_the_sum(args[0], *clipping)
        return super().train_step(*args)

    def _step_that_clips_the_sum(self, data: Any, kind: str, number: float) -> dict[str, Any]:
        import tensorflow as tf

        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        with tf.GradientTape() as tape:
            outputs = self(x, training=True)
            # Keras divides it by the number of replicas.
            loss = self.compute_loss(x, y, outputs, sample_weight, training=True)
            scaled = self.optimizer.scale_loss(loss)
        batch = tf.shape(keras.tree.flatten(x)[0])[0]
        next(metric for metric in self.metrics if metric.name == "loss").update_state(
            loss * replicas, sample_weight=batch
        )
        weights = self.trainable_weights
        gradients = tape.gradient(scaled, [weight.value for weight in weights])
        pairs = [(g, w) for g, w in zip(gradients, weights, strict=True) if g is not None]
        summed = tf.distribute.get_replica_context().all_reduce("SUM", [g for g, _ in pairs])
        # Each replica's share of the clipped sum: the optimizer sums the shares, without clipping.
        scale = self.optimizer.scale_loss(1.0)
        clipped = _clip([g / scale for g in summed], kind, number)
        shares = [g * (scale / replicas) for g in clipped]
        self.optimizer.apply(shares, [w for _, w in pairs])
        return self.compute_metrics(x, y, outputs, sample_weight=sample_weight)


def scope_of(model: keras.Model) -> contextlib.AbstractContextManager[Any]:
    """The scope of the strategy that the model was made under."""
    if keras.backend.backend() != "tensorflow":
        return contextlib.nullcontext()
    import tensorflow as tf

    strategy = model.distribute_strategy
    is_open = strategy is tf.distribute.get_strategy()
    scope: contextlib.AbstractContextManager[Any] = strategy.scope()
    return contextlib.nullcontext() if is_open else scope


def _check_not_ignored() -> None:
    if keras.distribution.distribution() is not None:
        raise RuntimeError(
            "A `keras.distribution` is set, which Keras ignores on TensorFlow. Use "
            "tf.distribute.MirroredStrategy, or Keras on JAX."
        )


def _check_several_replicas(model: keras.Model) -> None:
    import tensorflow as tf

    strategy = model.distribute_strategy
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        raise RuntimeError(
            "Keras' `fit` does not work with MultiWorkerMirroredStrategy. The repository's "
            "`python -m training.train --set runtime.strategy=multi_worker_mirrored` does."
        )
    refused = {"jit_compile": model.jit_compile is True}
    optimizers = _plain_optimizers(model.optimizer)
    refused["gradient_accumulation_steps"] = any(o.gradient_accumulation_steps for o in optimizers)
    refused["ema_overwrite_frequency"] = any(
        o.use_ema and o.ema_overwrite_frequency for o in optimizers
    )
    if len(optimizers) > 1:
        clip = any(_own_clipping(each) for each in optimizers)
        refused["clipping in several optimizers at once"] = clip
    for name, found in refused.items():
        if found:
            raise RuntimeError(
                f"`{name}` does not work in Keras' `fit` on {strategy.num_replicas_in_sync} "
                f"replicas of a {type(strategy).__name__}: leave it out."
            )


def _plain_optimizers(optimizer: keras.Optimizer) -> list[keras.Optimizer]:
    """The optimizers inside a loss-scale optimizer or a multi-optimizer; else the optimizer."""
    inner = getattr(optimizer, "inner_optimizer", None)
    if inner is not None:
        return _plain_optimizers(inner)
    return list(getattr(optimizer, "optimizers", None) or [optimizer])


def _clipping(optimizer: keras.Optimizer) -> tuple[str, float] | None:
    """("clipnorm", "global_clipnorm" or "clipvalue", its value), or None."""
    optimizers = _plain_optimizers(optimizer)
    return _own_clipping(optimizers[0]) if len(optimizers) == 1 else None


def _own_clipping(optimizer: keras.Optimizer) -> tuple[str, float] | None:
    for kind in ("clipnorm", "global_clipnorm", "clipvalue"):
        if getattr(optimizer, kind, None) is not None:
            return kind, getattr(optimizer, kind)
    return None


def _clip(gradients: list[Tensor], kind: str, number: float) -> list[Tensor]:
    import tensorflow as tf

    if kind == "global_clipnorm":
        return tf.clip_by_global_norm(gradients, number)[0]
    if kind == "clipnorm":
        return [tf.clip_by_norm(gradient, number) for gradient in gradients]
    return [tf.clip_by_value(gradient, -number, number) for gradient in gradients]


@contextlib.contextmanager
def synchronized_batch_norm(model: keras.Model) -> Iterator[None]:
    """Every BatchNormalization uses the statistics of all replicas inside the `with` block.

    They are reset afterwards: Keras on JAX refuses to load a model with synchronized layers.
    """
    layers = [
        each
        for each in sublayers(model)
        if isinstance(each, keras.layers.BatchNormalization) and not each.synchronized
    ]
    for layer in layers:
        layer.synchronized = True
    try:
        yield
    finally:
        for layer in layers:
            layer.synchronized = False
