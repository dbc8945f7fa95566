"""Rematerialization keeps less and changes no number; contract.py tests every architecture."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mlp import ARCHITECTURES, MixerBlock, export_saved_model
from keras_mlp.models.block import Block
from tests.contract import predict, shallow, some_pixels, with_random_weights
from tests.own_process import run_in_own_process
from tests.test_contract import factory

RANDOM = {"dropout_rate": 0.3, "drop_path_rate": 0.4}
# Tracing and compiling take most of the time of these tests. All blocks of gMLP drop paths, so one
# is enough; of RepMLPNet the first does not, and two blocks are.
ONE_BLOCK = {"num_layers": 1}
TWO_BLOCKS = {"num_layers": (1, 1)}


def gradients(model, images, steps=2, **compilation):
    """Loss and gradients of several steps; weights stay, masks and statistics change."""
    direction = np.random.default_rng(2).normal(size=(len(images), model.num_classes))
    variables = [weight.value for weight in model.trainable_weights]

    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(images, training=True) * direction.astype("float32"))
        return [loss, *tape.gradient(loss, variables)]

    step = tf.function(step, **compilation) if compilation else step
    return [[np.asarray(each, "float32") for each in step()] for _ in range(steps)]


def pair(architecture, **overrides):
    """The same model without and with rematerialization, with equal seeds for its masks."""
    for remat in (False, True):
        keras.utils.set_random_seed(3)
        arguments = {**RANDOM, **overrides, "remat": remat}
        yield with_random_weights(factory(architecture)(**arguments))


def assert_same_training(architecture, tolerance=0.0, compilation=None, **overrides):
    plain, remat = pair(architecture, **overrides)
    images = some_pixels(plain, batch=6).astype("float32")
    ours, theirs = (gradients(each, images, **(compilation or {})) for each in (remat, plain))
    for got, expected in zip(ours, theirs, strict=True):
        for i, (a, b) in enumerate(zip(got, expected, strict=True)):
            np.testing.assert_allclose(
                a, b, rtol=0, atol=tolerance * (1 + np.abs(b).max()), err_msg=i
            )
    # The masks differ from the first step's, so a mask drawn again would have shown above.
    assert np.abs(ours[0][0] - ours[1][0]) > 1e-2
    for a, b in zip(remat.variables, plain.variables, strict=True):  # including the states of seeds
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance, err_msg=a.path)


def test_they_are_the_same_in_a_graph_and_under_xla():
    assert_same_training("GMLP", 1e-5, {"jit_compile": False}, **ONE_BLOCK)
    assert_same_training("GMLP", 1e-5, {"jit_compile": True}, **ONE_BLOCK)
    assert_same_training("RepMLPNet", 1e-4, {"jit_compile": False}, **TWO_BLOCKS)


def test_they_are_the_same_under_mixed_precision():
    assert_same_training("ViT", dtype="mixed_bfloat16")
    assert_same_training("RepMLPNet", dtype="mixed_float16", **TWO_BLOCKS)


def test_a_float32_layer_in_a_mixed_block_keeps_its_precision():
    x = np.random.default_rng(0).normal(size=(4, 4, 8)).astype("float32")
    outputs = []
    for remat in (False, True):
        keras.utils.set_random_seed(0)
        block = MixerBlock(8, 16, remat=remat, dtype="mixed_bfloat16")
        block.build(x.shape)
        block.token_mlp.fc1.dtype_policy = keras.DTypePolicy("float32")
        outputs.append(np.asarray(block(x, training=True), "float32"))
    np.testing.assert_array_equal(*outputs)


def count_runs(monkeypatch, remat, training=True):
    """How often the blocks of a model run in a forward and a backward pass."""
    runs, residuals = [], Block.residuals

    def counted(block, x, training):
        runs.append(block.name)
        return residuals(block, x, training)

    monkeypatch.setattr(Block, "residuals", counted)
    model = factory("MLPMixer")(remat=remat)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(some_pixels(model), training=training))
    tape.gradient(loss, [weight.value for weight in model.trainable_weights])
    return runs


def test_blocks_run_again_in_the_backward_pass_only_if_asked(monkeypatch):
    assert count_runs(monkeypatch, remat=False) == ["block_0", "block_1"]
    monkeypatch.undo()
    assert count_runs(monkeypatch, remat=True) == ["block_0", "block_1", "block_1", "block_0"]
    monkeypatch.undo()
    assert count_runs(monkeypatch, remat=True, training=False) == ["block_0", "block_1"]


@pytest.mark.parametrize(
    ("architecture", "jit_compile", "sizes"),
    [("RepMLPNet", False, TWO_BLOCKS), ("GMLP", True, ONE_BLOCK)],
)
def test_fit_gives_the_same_weights(architecture, jit_compile, sizes):
    trained = []
    for model in pair(architecture, **sizes):
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.01), loss, jit_compile=jit_compile)
        labels = np.arange(8) % model.num_classes
        model.fit(some_pixels(model, 8), labels, batch_size=4, epochs=2, shuffle=False, verbose=0)
        trained.append([np.asarray(variable) for variable in model.variables])
    for plain, remat in zip(*trained, strict=True):
        np.testing.assert_allclose(remat, plain, rtol=0, atol=1e-4)


def test_what_is_frozen_stays_frozen():
    plain, remat = pair("RepMLPNet", **TWO_BLOCKS)
    for model in (plain, remat):
        model.get_layer("stage_0_block_0").trainable = False
        model.get_layer("stage_1_block_0").norm1.trainable = False
    images = some_pixels(plain, batch=6)
    for a, b in zip(gradients(remat, images)[1], gradients(plain, images)[1], strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(remat.variables, plain.variables, strict=True):
        np.testing.assert_array_equal(a, b, a.path)


def test_branches_are_the_same():
    taps = []
    for model in pair("FFOnly"):
        features = model.features(["block_0/token_mixing", "block_1/channel_mixing"])
        images = some_pixels(model)
        taps.append({k: np.asarray(v) for k, v in features(images, training=True).items()})
    keras.tree.map_structure(np.testing.assert_array_equal, *taps)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_model_remembers_it(architecture, tmp_path):
    make = shallow(factory(architecture))
    model, plain = make(remat=True, name="toy"), make()
    model.save(tmp_path / "toy.keras")
    copy = keras.models.load_model(tmp_path / "toy.keras")
    assert copy.remat is True and copy.get_config() == model.get_config()
    blocks = [layer for layer in copy.layers if isinstance(layer, Block)]
    assert blocks and all(block.remat for block in blocks)
    assert [w.path for w in copy.weights] == [w.path for w in plain.weights]
    assert not plain.remat


def test_refuses_to_lose_a_loss_inside_a_block():
    model = factory("MLPMixer")(remat=True)
    model.get_layer("block_1").channel_mlp.fc1.activity_regularizer = keras.regularizers.L2(0.1)
    predict(model, some_pixels(model))  # inference recomputes nothing
    with pytest.raises(ValueError, match=r"`remat` of block_1 would lose a loss .* remat=False"):
        predict(model, some_pixels(model), training=True)


def test_an_exported_model_trains_as_the_one_without(tmp_path):
    losses = []
    for name, model in zip(("plain", "remat"), pair("GMLP", **ONE_BLOCK), strict=True):
        export_saved_model(model, tmp_path / name)
        loaded = tf.saved_model.load(tmp_path / name)
        images = some_pixels(model).astype("float32") / 255
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(loaded(images, training=True)))
        found = tape.gradient(loss, loaded.trainable_variables)
        losses.append([np.asarray(each) for each in (loss, *found)])
    for plain, remat in zip(*losses, strict=True):
        np.testing.assert_allclose(remat, plain, rtol=0, atol=1e-4)


ON_JAX = """
import jax, keras, numpy as np
from keras_mlp import MLPMixer, RepMLPNet
toy = dict(image_shape=(8, 8, 3), patch_size=2, num_classes=5, dropout_rate=0.3, drop_path_rate=0.4)
mixer = dict(num_layers=2, hidden_dim=8, token_mlp_dim=8, channel_mlp_dim=16)
pyramid = dict(num_layers=(1, 1), hidden_dim=(8, 16), num_sharesets=(2, 4))

def train(architecture, sizes, remat):
    keras.utils.set_random_seed(3)
    model = architecture(**toy, **sizes, remat=remat)
    images = np.random.default_rng(0).uniform(0, 255, (8, 8, 8, 3)).astype("float32")

    def loss(trainable, rest):
        outputs, rest = model.stateless_call(trainable, rest, images, training=True)
        return (outputs**2).sum() + (outputs * np.arange(5)).sum(), rest

    grad = jax.jit(jax.value_and_grad(loss, has_aux=True))
    trainable = [v.value + 0.1 for v in model.trainable_variables]
    rest = [v.value for v in model.non_trainable_variables]
    found = grad(trainable, rest)
    words = str(jax.make_jaxpr(grad)(trainable, rest))
    assert ("remat" in words or "checkpoint" in words) == remat  # as versions of JAX call it
    if architecture is MLPMixer:  # compiling takes most of the time of this test
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        model.fit(images, np.arange(8) % 5, batch_size=4, shuffle=False, verbose=0)
    return jax.tree.leaves(found) + [np.asarray(v) for v in model.variables]

for architecture, sizes in ((MLPMixer, mixer), (RepMLPNet, pyramid)):
    plain, remat = (train(architecture, sizes, each) for each in (False, True))
    for a, b in zip(plain, remat, strict=True):
        a, b = np.asarray(a), np.asarray(b)
        # XLA fuses the two graphs otherwise, and every processor rounds otherwise: 2e-5 was seen.
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-4 * (1 + np.abs(a).max()))
"""

MIRRORED = """
import keras, numpy as np, tensorflow as tf
from keras_mlp import RepMLPNet
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
sizes = dict(image_shape=(8, 8, 3), patch_size=2, num_classes=5, num_layers=(1, 1),
             hidden_dim=(8, 16), num_sharesets=(2, 4), dropout_rate=0.3, drop_path_rate=0.4)

def train(remat):
    strategy = tf.distribute.MirroredStrategy(
        ["CPU:0", "CPU:1"], cross_device_ops=tf.distribute.ReductionToOneDevice()
    )
    with strategy.scope():
        keras.utils.set_random_seed(3)
        model = RepMLPNet(**sizes, remat=remat)
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    images = np.random.default_rng(0).uniform(0, 255, (16, 8, 8, 3)).astype("float32")
    model.fit(images, np.arange(16) % 5, batch_size=8, shuffle=False, verbose=0)
    return model.get_weights()

for a, b in zip(train(False), train(True), strict=True):
    np.testing.assert_allclose(b, a, rtol=0, atol=1e-5)
"""


@pytest.mark.sweep
def test_it_changes_no_number_on_jax():
    pytest.importorskip("jax", reason="jax is not installed")
    run_in_own_process(ON_JAX, KERAS_BACKEND="jax", JAX_PLATFORMS="cpu")


@pytest.mark.sweep
def test_it_changes_no_number_on_two_replicas():
    run_in_own_process(MIRRORED)
