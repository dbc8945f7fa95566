"""The training pages' AdamW: Keras' updates, variables and files, in one operation a variable."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from training.config import Optimizer
from training.engine.optimizers import build_optimizer
from training.engine.tensorflow.adamw import AdamW

STEPS = 6


def variables(dtype="float32"):
    rng = np.random.default_rng(0)
    values = {"kernel": rng.normal(size=(3, 4)), "bias": rng.normal(size=4)}
    return [keras.Variable(value, dtype=dtype, name=name) for name, value in values.items()]


def updated(make, dtype="float32", **arguments):
    """The weights and the optimizer after some steps, with weight decay on the kernel alone."""
    trained = variables(dtype)
    schedule = keras.optimizers.schedules.PolynomialDecay(0.1, STEPS)
    optimizer = make(schedule, weight_decay=0.2, **arguments)
    optimizer.build(trained)
    optimizer.exclude_from_weight_decay(var_list=trained[1:])
    rng = np.random.default_rng(1)
    apply = tf.function(lambda *gradients: optimizer.apply(list(gradients), trained))
    for _ in range(STEPS):
        apply(*(tf.constant(rng.normal(size=each.shape), each.dtype) for each in trained))
    return trained, optimizer


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "arguments", [{}, {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 0.1}, {"amsgrad": True}]
)
def test_equals_keras_adamw(arguments, dtype):
    ours, optimizer = updated(AdamW, dtype, **arguments)
    keras_own, expected = updated(keras.optimizers.AdamW, dtype, **arguments)
    start = variables(dtype)
    assert {**optimizer.get_config(), "name": 0} == {**expected.get_config(), "name": 0}
    assert [each.name for each in optimizer.variables] == [e.name for e in expected.variables]
    found, wanted = [*ours, *optimizer.variables], [*keras_own, *expected.variables]
    for mine, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=1e-4, atol=1e-6)
    for mine, first in zip(ours, start, strict=True):
        assert np.abs(mine.numpy() - first.numpy()).max() > 0.05


def test_one_operation_updates_a_variable():
    trained = variables()
    optimizer = AdamW(0.1)
    optimizer.build(trained)
    gradients = [tf.ones(each.shape) for each in trained]
    graph = tf.function(lambda: optimizer.apply(gradients, trained)).get_concrete_function().graph
    kinds = [operation.type for operation in graph.get_operations()]
    assert kinds.count("ResourceApplyAdam") == len(trained)


def test_the_schedule_is_evaluated_once_a_step_and_not_for_each_variable():
    evaluated = []

    class Schedule(keras.optimizers.schedules.PolynomialDecay):
        def __call__(self, step):
            evaluated.append(step)
            return super().__call__(step)

    trained = variables()
    optimizer = AdamW(Schedule(0.1, STEPS), weight_decay=0.2)
    optimizer.build(trained)
    gradients = [tf.ones(each.shape) for each in trained]
    tf.function(lambda: optimizer.apply(gradients, trained)).get_concrete_function()
    assert len(evaluated) == 1


def test_a_checkpoint_of_keras_adamw_goes_on(tmp_path):
    _, trained = updated(keras.optimizers.AdamW)
    path = tf.train.Checkpoint(optimizer=trained).write(str(tmp_path / "checkpoint"))
    _, restored = updated(AdamW, beta_1=0.5)
    tf.train.Checkpoint(optimizer=restored).read(path).assert_consumed()
    for mine, other in zip(restored.variables, trained.variables, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_pages_train_with_it():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    optimizer = build_optimizer(Optimizer(name="adamw"), model, total_steps=9, steps_per_epoch=3)
    assert type(optimizer) is AdamW
