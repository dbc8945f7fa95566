"""Tracing sums over the replicas of virtual CPUs: no sum walks through the graphs of the others."""

import pytest

from tests.own_process import run_in_own_process

CODE = """
import tensorflow as tf
from tensorflow.python.ops import op_selector

from training.config import Runtime
from training.engine.tensorflow.strategies import build_strategy

strategy = build_strategy(Runtime(strategy="mirrored", virtual_cpus=2))
walk, walked = op_selector.get_backward_walk_ops, []

def counted(*args, **kwargs):
    found = walk(*args, **kwargs)
    walked.append(len(found))
    return found

op_selector.get_backward_walk_ops = counted

def traced(sums):
    # x -> 2 x, summed over both replicas: every sum makes it four times as large.
    def on_replica():
        x = tf.constant(1.0)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = x
            for _ in range(sums):
                y = tf.distribute.get_replica_context().all_reduce("SUM", 2.0 * y)
        return y, tape.gradient(y, x)

    walked.clear()
    for values in tf.function(lambda: strategy.run(on_replica))():
        assert [float(value) for value in strategy.experimental_local_results(values)] == (
            [4.0**sums] * 2
        )
    return max(walked)

few, many = traced(2), traced(12)
assert few == many, f"{few} ops in the longest walk of 2 sums, {many} in that of 12"
"""


@pytest.mark.slow
def test_the_walk_of_a_sum_does_not_grow_with_their_number():
    run_in_own_process(CODE)
