"""RepMLP against its authors' code, in both forms, and what it refuses."""

import keras
import numpy as np
import pytest

from keras_mlp.layers import RepMLP
from tests.contract import with_random_weights
from tests.oracle import Oracle

NORM = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def layer_like(oracle, **overrides):
    kwargs = oracle.config["kwargs"]
    layer = RepMLP(
        kwargs["out_channels"],
        (kwargs["h"], kwargs["w"]),
        kwargs["reparam_conv_k"],
        kwargs["fc1_fc2_reduction"],
        kwargs["fc3_groups"],
        **overrides,
    )
    layer.build(oracle.x.shape)
    return layer


def official(path, tensors, groups):
    """The authors' tensor for one of our weights, in our layout of axes."""
    layer, kind = path.rsplit("/", 2)[-2:]
    size = layer.removeprefix("conv").removesuffix("_norm")
    norms = {"fc3_norm": "fc3_bn", "pool_norm": "avg.bn", f"conv{size}_norm": f"repconv{size}.bn"}
    if layer in norms:
        return tensors[f"{norms[layer]}.{NORM[kind]}"]
    if layer == "fc3":
        tensor = tensors[f"fc3.{'weight' if kind == 'kernel' else 'bias'}"]
        return np.swapaxes(tensor.reshape(groups, -1, *tensor.shape[1:2]), 1, -1)
    if layer.startswith("conv"):
        return tensors[f"repconv{size}.conv.weight"].transpose(2, 3, 1, 0)
    return tensors[f"fc1_fc2.{layer}.{'weight' if kind == 'kernel' else 'bias'}"].T


def load(layer, tensors):
    for weight in layer.weights:
        value = official(weight.path, tensors, layer.groups)
        if weight.path.endswith("fc3/bias"):
            value = value.reshape(weight.shape)
        weight.assign(value)
    return layer


def deployed_tensors(oracle):
    return {k.removeprefix("wd/"): v for k, v in oracle.arrays.items() if k.startswith("wd/")}


def test_equals_the_reference():
    oracle = Oracle("repmlpv1_block_global")
    layer = load(layer_like(oracle), oracle.weights)
    oracle.check(layer(oracle.x))
    deployed = load(layer_like(oracle, deployed=True), deployed_tensors(oracle))
    oracle.check(deployed(oracle.x), "y_deploy")


def test_folds_to_the_weights_that_the_authors_get():
    oracle = Oracle("repmlpv1_block_global")
    ours = load(layer_like(oracle), oracle.weights).deployed_weights()
    theirs = load(layer_like(oracle, deployed=True), deployed_tensors(oracle))
    for array, weight in zip(ours, theirs.weights, strict=True):
        np.testing.assert_allclose(array, weight, rtol=1e-5, atol=2e-6, err_msg=weight.path)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"partition_size": (2, 3), "groups": 2, "kernel_sizes": (1, 3, 5)},
        {"partition_size": (4, 3), "groups": 4, "kernel_sizes": (), "reduction": 3},
        {"partition_size": (1, 6), "kernel_sizes": (7,)},
    ],
)
def test_the_deployed_form_is_equal(arguments):
    x = np.random.default_rng(0).normal(size=(3, 4, 6, 8)).astype("float32")
    layer = RepMLP(12, **arguments)
    layer.build(x.shape)
    with_random_weights(layer)
    deployed = RepMLP.from_config({**layer.get_config(), "deployed": True})
    deployed.build(x.shape)
    deployed.set_weights(layer.deployed_weights())
    expected = np.asarray(layer(x))
    assert expected.shape == (3, 4, 6, 12) == tuple(layer.compute_output_shape(x.shape))
    np.testing.assert_allclose(deployed(x), expected, rtol=0, atol=1e-5)
    assert not [weight for weight in deployed.weights if "norm" in weight.path]
    np.testing.assert_array_equal(deployed.deployed_weights()[0], deployed.get_weights()[0])


def test_has_no_global_perceptron_for_a_single_partition():
    layer = RepMLP(8)
    layer.build((None, 4, 6, 8))
    assert not [weight for weight in layer.weights if "fc1" in weight.path]


def test_initial_matrix_is_orthogonal_over_all_groups():
    layer = RepMLP(8, partition_size=2, groups=2)
    layer.build((None, 4, 4, 8))
    matrix = np.asarray(layer.fc3.kernel).transpose(0, 2, 1).reshape(32, 16)
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(16), atol=1e-5)


def test_trains_and_survives_a_file(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((4, 6, 3)),
            keras.layers.Conv2D(8, 3, padding="same"),
            RepMLP(8, partition_size=(2, 3), groups=2, name="repmlp"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2),
        ]
    )
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(16, 4, 6, 3)), rng.normal(size=(16, 2))
    model.compile("adam", "mse")
    before = model.get_layer("repmlp").get_weights()
    model.fit(x, y, epochs=2, verbose=0)
    for old, new in zip(before, model.get_layer("repmlp").get_weights(), strict=True):
        assert np.abs(old - new).max() > 0
    model.save(tmp_path / "m.keras")
    copy = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(copy(x), model(x))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"groups": 3}, r"`groups`=3 must divide the 4 input channels and `filters`=8"),
        ({"partition_size": 3}, r"`partition_size`=\(3, 3\) does not divide a map of 4 x 6"),
        ({"partition_size": 2, "reduction": 25}, r"`reduction`=25 is above the 24 inputs"),
    ],
)
def test_refuses_what_does_not_fit_the_map(arguments, message):
    with pytest.raises(ValueError, match=message):
        RepMLP(8, **arguments).build((None, 4, 6, 4))


@pytest.mark.parametrize(
    ("name", "value"),
    [("filters", 0), ("kernel_sizes", (2,)), ("groups", 0), ("reduction", 1.5)],
)
def test_refuses_bad_arguments(name, value):
    with pytest.raises(ValueError, match=f"^`{name}` must be"):
        RepMLP(**{"filters": 8, name: value})


def test_needs_a_known_map():
    message = r"Axis 1 of the inputs must have a known size, got shape \(None, None, 6, 4\)"
    with pytest.raises(ValueError, match=message):
        RepMLP(8).build((None, None, 6, 4))
