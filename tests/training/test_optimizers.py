"""Optimizers and schedules against their formulas in numpy."""

import keras
import numpy as np
import pytest

from training.config import Config, FineTuneConfig, Optimizer, Transfer, check_config
from training.engine.lamb import Lamb
from training.engine.low_precision_momentum import LowPrecisionMomentum
from training.engine.optimizers import build_optimizer
from training.engine.schedules import WarmUpAndDecay


def steps(optimizer, values, count=5):
    """The weights after steps with seeded gradients, and those gradients."""
    variables = [keras.Variable(value, name=name) for name, value in values.items()]
    optimizer.build(variables)
    rng = np.random.default_rng(1)
    gradients = []
    for _ in range(count):
        gradients.append([rng.standard_normal(v.shape).astype("float32") for v in variables])
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients[-1]], variables)
    return [np.asarray(v) for v in variables], gradients


@pytest.fixture
def values():
    rng = np.random.default_rng(0)
    return {
        "kernel": rng.standard_normal((4, 3)).astype("float32"),
        "bias": rng.standard_normal(3).astype("float32"),
        "zero": np.zeros((2, 2), "float32"),
    }


def test_lamb_is_the_paper_s_with_decay_inside_and_none_for_vectors(values):
    optimizer = Lamb(0.01, weight_decay=0.2)
    variables = [keras.Variable(value, name=name) for name, value in values.items()]
    optimizer.exclude_from_weight_decay(var_list=[variables[1]])
    optimizer.build(variables)
    rng = np.random.default_rng(1)
    expected = [value.astype("float64") for value in values.values()]
    means = [np.zeros_like(value) for value in expected]
    squares = [np.zeros_like(value) for value in expected]
    for step in range(1, 7):
        gradients = [rng.standard_normal(value.shape) for value in expected]
        optimizer.apply([keras.ops.cast(g, "float32") for g in gradients], variables)
        for i, gradient in enumerate(gradients):
            means[i] = 0.9 * means[i] + 0.1 * gradient
            squares[i] = 0.999 * squares[i] + 0.001 * gradient**2
            update = means[i] / (1 - 0.9**step)
            update /= np.sqrt(squares[i] / (1 - 0.999**step)) + 1e-6
            if i != 1:
                update += 0.2 * expected[i]
                length = np.linalg.norm(expected[i])
                update *= length / np.linalg.norm(update) if length else 1.0
            expected[i] -= 0.01 * update
    for variable, value in zip(variables, expected, strict=True):
        np.testing.assert_allclose(variable, value, rtol=2e-5, atol=1e-6)


def test_low_precision_momentum_keeps_bfloat16_and_steps_in_float32(values):
    found, gradients = steps(LowPrecisionMomentum(0.1, momentum=0.9), values)
    import ml_dtypes

    expected = [value.copy() for value in values.values()]
    stored = [np.zeros(value.shape, ml_dtypes.bfloat16) for value in expected]
    for each in gradients:
        for i, gradient in enumerate(each):
            momentum = np.float32(0.9) * stored[i].astype("float32") + gradient
            stored[i] = momentum.astype(ml_dtypes.bfloat16)
            expected[i] = expected[i] - np.float32(0.1) * momentum
    for value, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-6, atol=1e-6)
    plain, _ = steps(keras.optimizers.SGD(0.1, momentum=0.9), values)
    differences = [np.abs(a - b).max() for a, b in zip(found, plain, strict=True)]
    assert 1e-5 < max(differences) < 1e-2


@pytest.mark.parametrize("shape", ["cosine", "linear", "constant"])
def test_the_schedule_passes_its_marks(shape):
    schedule = WarmUpAndDecay(
        1.0, 100, warmup_steps=10, cooldown_steps=20, start=0.1, end=0.2, shape=shape
    )
    rates = [float(schedule(step)) for step in range(110)]
    assert rates[0] == pytest.approx(0.1) and rates[5] == pytest.approx(0.55)
    assert rates[10] == pytest.approx(1.0)
    if shape == "constant":
        assert rates[10:] == [1.0] * 100
        return
    assert rates[45] == pytest.approx(0.6)  # halfway
    assert rates[80:] == pytest.approx([0.2] * 30)
    slope = rates[11] - rates[10]
    assert slope == pytest.approx(-0.8 / 70 if shape == "linear" else 0.0, abs=1e-3)


def test_a_cosine_from_zero_is_keras_own():
    ours = WarmUpAndDecay(1e-3, 50, warmup_steps=7)
    theirs = keras.optimizers.schedules.CosineDecay(
        0.0, decay_steps=43, warmup_target=1e-3, warmup_steps=7
    )
    for step in range(51):
        assert float(ours(step)) == pytest.approx(float(theirs(step)), abs=1e-9)


@pytest.fixture(scope="module")
def model():
    from keras_mlp import ResMLP

    return ResMLP(image_shape=(8, 8, 3), patch_size=4, num_layers=1, hidden_dim=8, num_classes=2)


@pytest.mark.parametrize(
    "settings",
    [
        {"name": "adamw"},
        {"name": "lamb"},
        {"name": "sgd"},
        {"name": "sgd", "momentum_dtype": "bfloat16", "nesterov": False},
    ],
)
def test_decay_moves_kernels_only(model, settings):
    settings = Optimizer(**settings, weight_decay=0.5, learning_rate=0.1, warmup_epochs=0.0)
    optimizer = build_optimizer(settings, model, total_steps=10, steps_per_epoch=5)
    before = [np.asarray(weight) for weight in model.trainable_variables]
    zeros = [keras.ops.zeros(weight.shape) for weight in model.trainable_variables]
    optimizer.apply(zeros, model.trainable_variables)
    for weight, value in zip(model.trainable_variables, before, strict=True):
        moved = not np.array_equal(np.asarray(weight), value)
        assert moved == (weight.path.endswith("kernel") and value.any()), weight.path


def test_what_does_not_go_together_is_refused():
    with pytest.raises(ValueError, match=r"needs `optimizer\.nesterov`=False"):
        check_config(Config(optimizer=Optimizer(name="sgd", momentum_dtype="bfloat16")))
    with pytest.raises(ValueError, match=r"`transfer\.layer_decay` when fine-tuning"):
        check_config(FineTuneConfig(optimizer=Optimizer(layer_decay=0.5), transfer=Transfer()))
