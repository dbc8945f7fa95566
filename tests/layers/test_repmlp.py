"""RepMLP against its authors' code, in both forms, and what it refuses."""

import keras
import numpy as np
import pytest

from keras_mlp.layers import RepMLP
from keras_mlp.weights import load_repmlp
from tests.contract import with_random_weights
from tests.oracle import Oracle


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


def load(layer, tensors, folder):
    np.savez(folder / "tensors.npz", **tensors)
    load_repmlp(layer, folder / "tensors.npz")
    return layer


def deployed_tensors(oracle):
    return {k.removeprefix("wd/"): v for k, v in oracle.arrays.items() if k.startswith("wd/")}


def test_equals_the_reference(tmp_path):
    oracle = Oracle("repmlpv1_block_global")
    layer = load(layer_like(oracle), oracle.weights, tmp_path)
    oracle.check(layer(oracle.x))
    deployed = load(layer_like(oracle, deployed=True), deployed_tensors(oracle), tmp_path)
    oracle.check(deployed(oracle.x), "y_deploy")


def test_folds_to_the_weights_that_the_authors_get(tmp_path):
    oracle = Oracle("repmlpv1_block_global")
    ours = load(layer_like(oracle), oracle.weights, tmp_path).deployed_weights()
    theirs = load(layer_like(oracle, deployed=True), deployed_tensors(oracle), tmp_path)
    for array, weight in zip(ours, theirs.weights, strict=True):
        np.testing.assert_allclose(array, weight, rtol=1e-5, atol=2e-6, err_msg=weight.path)


def authors_tensors(layer):
    """Random tensors of the authors' names and shapes for a layer in its training form."""
    random = np.random.default_rng(0)
    kernel = layer.fc3.kernel.shape
    shapes = {"fc3.weight": (kernel[0] * kernel[2], kernel[1], 1)}
    for name in ("fc1", "fc2"):
        inputs, outputs = getattr(layer, name).kernel.shape
        shapes |= {f"fc1_fc2.{name}.weight": (outputs, inputs), f"fc1_fc2.{name}.bias": (outputs,)}
    norms = {"avg.bn": 4, "fc3_bn": layer.fc3_norm.gamma.shape[0]}
    for size, each in zip(layer.kernel_sizes, layer.convolutions, strict=True):
        rows, columns, inputs, outputs = each.kernel.shape
        shapes[f"repconv{size}.conv.weight"] = (outputs, inputs, rows, columns)
        norms[f"repconv{size}.bn"] = outputs
    for name, width in norms.items():
        parts = ("weight", "bias", "running_mean", "running_var")
        shapes |= {f"{name}.{part}": (width,) for part in parts}
    return {name: random.uniform(0.5, 1, shape).astype("float32") for name, shape in shapes.items()}


def test_a_layer_of_a_network_is_found_by_its_prefix(tmp_path):
    layer = RepMLP(8, partition_size=2, groups=2)
    layer.build((None, 4, 6, 4))
    tensors = authors_tensors(layer)
    tensors["avg.bn.num_batches_tracked"] = np.array(3)
    network = {f"layer3.1.{name}": tensor for name, tensor in tensors.items()}
    np.savez(tmp_path / "network.npz", **network, **{"conv1.weight": np.ones(3, "float32")})
    load_repmlp(layer, tmp_path / "network.npz", prefix="layer3.1.")
    kernel = tensors["fc3.weight"].reshape(2, -1, 8).swapaxes(1, 2)
    np.testing.assert_array_equal(layer.fc3.kernel, kernel)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("fc3_bn.bias"), "fc3_bn.bias is missing"),
        (lambda tensors: tensors.update(more=np.ones(2)), "more is unused"),
        (
            lambda tensors: tensors.update({"fc3.weight": np.ones((3, 2))}),
            r"fc3.weight has shape \(3, 2\)",
        ),
        (
            lambda tensors: tensors.update({"fc1_fc2.fc1.bias": np.full(24, np.nan)}),
            "fc1_fc2.fc1.bias is not finite",
        ),
    ],
)
def test_tensors_that_do_not_fit_change_nothing(change, message, tmp_path):
    layer = RepMLP(8, partition_size=2, groups=2)
    layer.build((None, 4, 6, 4))
    tensors = authors_tensors(layer)
    change(tensors)
    before = layer.get_weights()
    with pytest.raises(ValueError, match=message) as error:
        load(layer, tensors, tmp_path)
    assert "in its training form" in str(error.value)
    for was, now in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(was, now)


def test_only_a_built_repmlp_is_loaded():
    with pytest.raises(ValueError, match="is not built: call it"):
        load_repmlp(RepMLP(8), "any.npz")
    with pytest.raises(ValueError, match=r"`layer` must be a keras_mlp\.layers\.RepMLP"):
        load_repmlp(keras.layers.Dense(3), "any.npz")


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
