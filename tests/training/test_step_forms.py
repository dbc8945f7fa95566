"""A training step's own forms, `runtime.compile_gelu` among them: the same numbers, faster."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mlp.layers import backend
from keras_mlp.layers.activations import gelu, gelu_computed_by
from training.engine import processor
from training.engine.optimizers import build_optimizer
from training.engine.tensorflow import step_forms
from training.engine.tensorflow.compiled_gelu import compiled_gelu
from training.engine.tensorflow.compiled_layer_norm import compiled_layer_norm
from training.engine.tensorflow.trainer import Trainer
from training.train import build_model


def value_and_slope(function, x, upstream):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return y, tape.gradient(y, x, upstream)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("bfloat16", 2e-2)])
def test_equals_gelu(dtype, tolerance):
    x = tf.cast(tf.linspace(-12.0, 12.0, 4801), dtype)
    upstream = tf.cast(tf.sin(tf.cast(x, tf.float32)), dtype)
    exact = value_and_slope(gelu, tf.cast(x, tf.float64), tf.cast(upstream, tf.float64))
    for found, expected in zip(value_and_slope(compiled_gelu, x, upstream), exact, strict=True):
        assert found.dtype == x.dtype
        np.testing.assert_allclose(
            tf.cast(found, tf.float64), expected, rtol=tolerance, atol=tolerance
        )


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float64", 1e-12), ("float32", 2e-5), ("bfloat16", 3e-2)]
)
@pytest.mark.parametrize("shape", [(4, 8), (2, 3, 8), (2, 3, 1, 8)])
def test_equals_layer_norm(shape, dtype, tolerance):
    random = np.random.default_rng(0)
    arrays = [random.normal(3, 2, shape), random.normal(1, 0.3, 8), random.normal(0, 0.3, 8)]
    x, gamma, beta = (tf.cast(each, dtype) for each in arrays)
    upstream = tf.cast(random.normal(0, 1, shape), dtype)

    def outputs_and_gradients(norm, *tensors):
        with tf.GradientTape() as tape:
            tape.watch(tensors[:3])
            y = norm(*tensors[:3])
        return [y, *tape.gradient(y, tensors[:3], tensors[3])]

    def ours(x, gamma, beta):
        return compiled_layer_norm(x, gamma, beta, 1e-3)

    def exact(x, gamma, beta):
        return keras.ops.layer_normalization(x, gamma, beta, -1, 1e-3)

    doubles = [tf.cast(each, tf.float64) for each in (x, gamma, beta, upstream)]
    for found, expected in zip(
        outputs_and_gradients(ours, x, gamma, beta, upstream),
        outputs_and_gradients(exact, *doubles),
        strict=True,
    ):
        assert found.dtype == x.dtype and found.shape == expected.shape
        np.testing.assert_allclose(
            tf.cast(found, tf.float64), expected, rtol=0, atol=tolerance * np.abs(expected).max()
        )


def test_gelu_is_itself_again_after_the_block():
    with pytest.raises(RuntimeError), gelu_computed_by(lambda x: x + 5):
        assert gelu(1.0) == 6.0
        raise RuntimeError
    assert float(gelu(1.0)) == pytest.approx(0.8413447)


@pytest.mark.parametrize(("flags", "keeps"), [("avx2 avx512_bf16", False), ("avx2 amx_bf16", True)])
def test_a_step_keeps_axes_on_a_processor_with_amx(flags, keeps, tmp_path, monkeypatch):
    monkeypatch.setattr(processor, "_CPU_INFO", tmp_path / "cpuinfo")
    step_forms._has_amx.cache_clear()
    try:
        assert not step_forms._has_amx()  # there is no such file
        step_forms._has_amx.cache_clear()
        (tmp_path / "cpuinfo").write_text(f"flags : {flags}\n")
        with step_forms.step_forms(compiles_parts=False):
            assert backend.prefers_flat_matmul() != keeps
        assert backend.prefers_flat_matmul()
    finally:
        step_forms._has_amx.cache_clear()


def test_both_forms_train_alike(few, monkeypatch):
    weights = {}
    for has_amx in (False, True):
        monkeypatch.setattr(step_forms, "_has_amx", lambda has_amx=has_amx: has_amx)
        weights[has_amx], _ = trained(few, False)
    for one, other in zip(weights[False], weights[True], strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)


def trained(config, compile_gelu, **arguments):
    """The weights after three steps, and the number of compiled calls in the graph of one."""
    config.model.arguments = {**config.model.arguments, **arguments}
    config.runtime.compile_gelu = compile_gelu
    keras.utils.set_random_seed(0)
    model = build_model(config.model, 10, "float32")
    optimizer = build_optimizer(config.optimizer, model, total_steps=10, steps_per_epoch=5)
    images = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 1)).astype("uint8")
    trainer = Trainer(model, optimizer, config)
    trainer.train_dataset = tf.data.Dataset.from_tensors((images, np.arange(64) % 10)).repeat()
    trainer.train(tf.constant(3))
    (step,) = trainer.replica_steps
    graph = step.get_concrete_function(next(iter(trainer.train_dataset))).graph
    compiled = [
        op
        for op in graph.get_operations()
        if "_XlaMustCompile" in op.node_def.attr and op.get_attr("_XlaMustCompile")
    ]
    return [np.array(weight) for weight in model.weights], len(compiled)


@pytest.fixture
def few(config):
    return dataclasses.replace(config, data=dataclasses.replace(config.data, batch_size=64))


def test_a_step_compiles_every_gelu_and_layer_norm_and_computes_the_same(few):
    plain, none = trained(few, False)
    found, calls = trained(few, True)
    blocks = few.model.arguments["num_layers"]
    assert none == 0
    # Forward and backward: two MLPs and two LayerNorms a block, and the last LayerNorm.
    assert calls == 2 * (4 * blocks + 1)
    for weight, expected in zip(found, plain, strict=True):
        np.testing.assert_allclose(weight, expected, atol=2e-5)
    again, _ = trained(few, True)
    for weight, expected in zip(again, found, strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_rematerialized_blocks_compile_it_too(few):
    blocks = few.model.arguments["num_layers"]
    _, calls = trained(few, True, remat=True)
    assert calls == 3 * 4 * blocks + 2  # the forward pass of a block runs twice
