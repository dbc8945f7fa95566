"""The models of other kinds: shapes, standardised kernels, saving, and use in a page."""

import keras
import numpy as np
import pytest

from examples import comparators
from tests.contract import predict, with_random_weights
from tests.own_process import run_in_own_process
from training.config import Model
from training.models.function_models import check_function, model_of_function

SHAPE = (12, 8, 3)
NAMES = ("bit_resnet", "nf_resnet", "plain_mlp")


@pytest.fixture(scope="module")
def models():
    return {name: getattr(comparators, name)(SHAPE, num_classes=5) for name in NAMES}


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (16, *SHAPE)).astype("float32")


@pytest.mark.parametrize("name", NAMES)
def test_images_become_logits_and_files_models(name, models, images, tmp_path):
    model = with_random_weights(models[name])
    logits = predict(model, images)
    assert logits.shape == (16, 5) and np.abs(logits[0] - logits[1]).max() > 1e-3
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(predict(again, images), logits, rtol=1e-5, atol=1e-5)


def test_kernels_are_standardised_whatever_their_weights():
    layer = comparators.StandardizedConv2D(4, 3, padding="same", use_bias=False)
    layer.build((None, 8, 8, 2))
    images = np.random.default_rng(1).normal(size=(2, 8, 8, 2)).astype("float32")
    before = keras.ops.convert_to_numpy(layer(images))
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    layer.kernel.assign(3 * kernel + 7)
    after = keras.ops.convert_to_numpy(layer(images))
    np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-3)
    standard = (kernel - kernel.mean((0, 1, 2))) / (kernel.std((0, 1, 2)) * np.sqrt(18))
    expected = keras.ops.convert_to_numpy(
        keras.ops.conv(images, np.float32(standard), padding="same")
    )
    np.testing.assert_allclose(before, expected, rtol=1e-4, atol=1e-4)


def test_the_network_without_norms_starts_with_blocks_that_add_nothing(images):
    model = comparators.nf_resnet(SHAPE, num_classes=5)
    assert not [each for each in model.layers if "norm" in type(each).__name__.lower()]
    gains = [layer for layer in model.layers if isinstance(layer, comparators.SkipInit)]
    assert len(gains) == 6 and all(float(layer.gain) == 0 for layer in gains)


def test_scaled_relu_keeps_the_variance():
    x = np.random.default_rng(2).normal(size=(100, 1000)).astype("float32")
    assert abs(float(np.var(comparators._scaled_relu(x))) - 1) < 0.02


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_a_page_may_name_them(name, dtype):
    section = Model(f"examples.comparators:{name}", arguments={"image_shape": SHAPE})
    check_function(section)
    before = keras.config.dtype_policy().name
    model = model_of_function(section, 7, dtype)
    assert model.output_shape == (None, 7) and keras.config.dtype_policy().name == before
    assert {layer.dtype_policy.name for layer in model.layers} >= {dtype}


A_STEP_ON_JAX = """
import keras
import numpy as np

from examples import comparators
from training.config import Config, Data, Optimizer
from training.data.in_memory import load_arrays
from training.engine.jax.engine import try_steps
from training.engine.optimizers import build_optimizer

config = Config(data=Data(name="digits", batch_size=32), optimizer=Optimizer(warmup_epochs=0.0))
train = load_arrays(config.data, (8, 8, 1)).train
for name, arguments in {
    "bit_resnet": {"widths": (8,), "blocks": 1},
    "nf_resnet": {"widths": (8,), "blocks": 1},
    "plain_mlp": {"widths": (16, 16)},
}.items():
    model = getattr(comparators, name)((8, 8, 1), 10, **arguments)
    optimizer = build_optimizer(config.optimizer, model, total_steps=9, steps_per_epoch=9)
    before = [np.array(weight) for weight in model.get_weights()]
    ((loss, _),) = try_steps(model, optimizer, train, config, 1)
    assert 1 < loss < 6, (name, loss)
    moved = [np.abs(a - b).max() for a, b in zip(model.get_weights(), before, strict=True)]
    assert sum(each > 0 for each in moved) >= 2, (name, moved)
"""


@pytest.mark.sweep
def test_all_train_a_step_on_jax():
    run_in_own_process(
        A_STEP_ON_JAX,
        KERAS_BACKEND="jax",
        JAX_PLATFORMS="cpu",
        XLA_FLAGS="--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true",
    )
