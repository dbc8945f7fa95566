"""RepMLPNet against its authors' code, in both forms, and its own features."""

import keras
import numpy as np
import pytest
import safetensors.numpy

from keras_mlp import RepMLPNet, RepMLPNetUnit, deploy, load_checkpoint
from keras_mlp.analysis.weightless import weightless
from tests.contract import layers_of, predict, with_random_weights
from tests.oracle import Oracle
from tests.test_contract import factory

tiny = factory("RepMLPNet")
ORACLES = ("repmlpnet_base", "repmlpnet_rect", "repmlpnet_epsprobe", "repmlpnet_partitions")


def repmlpnet_like(oracle, **overrides):
    kwargs = oracle.config["kwargs"]
    arguments = {
        "image_shape": oracle.x.shape[1:],
        "patch_size": kwargs["patch_size"],
        "num_layers": kwargs["num_blocks"],
        "hidden_dim": kwargs["channels"],
        "num_sharesets": kwargs["sharesets_nums"],
        "partition_size": list(zip(kwargs["hs"], kwargs["ws"], strict=True)),
        "kernel_sizes": kwargs["reparam_conv_k"],
        "num_classes": kwargs["num_class"],
        "include_preprocessing": False,
    }
    return RepMLPNet(**{**arguments, **overrides})


def deployed_oracle(name):
    """The oracle with the weights from the authors' own folding."""
    oracle = Oracle(name)
    found = {k.removeprefix("wd/"): v for k, v in oracle.arrays.items() if k.startswith("wd/")}
    # safetensors writes the bytes of an array in memory order.
    oracle.weights = {name: np.ascontiguousarray(tensor) for name, tensor in found.items()}
    oracle.arrays["y"] = oracle.arrays["y_deploy"]
    return oracle


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize("read", [Oracle, deployed_oracle])
@pytest.mark.parametrize("name", ORACLES)
def test_equals_the_reference(name, read, suffix, tmp_path):
    oracle = read(name)
    model = repmlpnet_like(oracle, deployed=read is deployed_oracle)
    assert load_checkpoint(model, oracle.write_checkpoint(tmp_path, suffix)) == "official"
    oracle.check(model(oracle.x))
    features = keras.Model(model.input, model.get_layer("pool").output)
    oracle.check(features(oracle.x), "features")


@pytest.mark.parametrize("name", ORACLES)
def test_deploys_to_the_weights_that_the_authors_get(name, tmp_path):
    oracle, theirs = Oracle(name), deployed_oracle(name)
    model = repmlpnet_like(oracle)
    load_checkpoint(model, oracle.write_checkpoint(tmp_path, ".npz"))
    ours = deploy(model)
    oracle.check(ours(oracle.x), "y_deploy")
    expected = repmlpnet_like(oracle, deployed=True)
    load_checkpoint(expected, theirs.write_checkpoint(tmp_path, ".npz"))
    for weight, other in zip(ours.weights, expected.weights, strict=True):
        assert weight.path == other.path
        np.testing.assert_allclose(weight, other, rtol=1e-5, atol=1e-6, err_msg=weight.path)


def test_reads_names_that_a_parallel_training_wrapped(tmp_path):
    oracle = Oracle("repmlpnet_base")
    wrapped = {f"module.{name}": tensor for name, tensor in oracle.weights.items()}
    safetensors.numpy.save_file(wrapped, tmp_path / "w.safetensors")
    model = repmlpnet_like(oracle)
    assert load_checkpoint(model, tmp_path / "w.safetensors") == "official"
    oracle.check(model(oracle.x))


def test_a_checkpoint_of_the_other_form_is_refused(tmp_path):
    oracle = Oracle("repmlpnet_base")
    path = oracle.write_checkpoint(tmp_path, ".npz")
    with pytest.raises(ValueError, match=r"(?s)missing: .*fc3\.bias .*unused: .*fc3_bn\.bias"):
        load_checkpoint(repmlpnet_like(oracle, deployed=True), path)


@pytest.mark.parametrize(
    ("variant", "parameters"),
    [
        ("T224", 38_331_720),
        ("B224", 68_332_664),
        ("T256", 58_739_400),
        ("B256", 96_568_184),
        ("D256", 86_985_280),
        ("L256", 117_820_600),
    ],
)
def test_parameter_counts_of_the_deployed_forms(variant, parameters):
    model = weightless(RepMLPNet.from_variant, variant, deployed=True)
    count = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert count == parameters


def test_initial_weights_are_pytorchs():
    model = RepMLPNet(
        image_shape=(32, 32, 3), num_layers=(1, 1), hidden_dim=(64, 128), num_sharesets=(16, 32)
    )
    fan_in = {
        "stem/convolution/kernel": 4 * 4 * 3,
        "stage_0_block_0/repmlp/global_perceptron/fc1/kernel": 64,
        "stage_0_block_0/repmlp/global_perceptron/fc1/bias": 64,
        "stage_0_block_0/repmlp/global_perceptron/fc2/kernel": 16,
        "stage_0_block_0/repmlp/global_perceptron/fc2/bias": 16,
        "stage_0_block_0/repmlp/fc3/kernel": 8 * 8,
        "stage_0_block_0/repmlp/conv1/kernel": 1,
        "stage_0_block_0/repmlp/conv3/kernel": 9,
        "stage_0_block_0/ffn/fc1/kernel": 64,
        "stage_0_block_0/ffn/fc2/kernel": 256,
        "downsample_0/convolution/kernel": 2 * 2 * 64,
        "head/kernel": 128,
        "head/bias": 128,
    }
    weights = {weight.path: np.asarray(weight) for weight in model.weights}
    for path, number in fan_in.items():
        limit = number**-0.5
        assert 0.7 * limit < np.abs(weights[path]).max() <= limit * (1 + 1e-6), path
    for path, value in weights.items():
        kind = path.rpartition("/")[2]
        if kind in ("gamma", "beta", "moving_mean", "moving_variance"):
            np.testing.assert_array_equal(value, kind in ("gamma", "moving_variance"), path)


def test_every_batch_norm_has_pytorchs_constants():
    norms = [layer for layer in layers_of(tiny()) if type(layer) is keras.layers.BatchNormalization]
    # stem, downsample and head; in each of 3 units, 2 + 3 in the block + 2 in the channel MLP.
    assert len(norms) == 3 + 3 * 7
    assert {(layer.epsilon, layer.momentum) for layer in norms} == {(1e-5, 0.9)}


def test_no_convolution_has_groups():
    # TensorFlow lacks their gradient on some devices, and the ONNX converter cannot express them.
    layers = layers_of(tiny())
    convolutions = [layer for layer in layers if type(layer) is keras.layers.Conv2D]
    assert len(convolutions) == 2 and all(layer.groups == 1 for layer in convolutions)


def test_drop_path_grows_linearly_over_all_stages():
    model = tiny(drop_path_rate=0.2)
    names = ("stage_0_block_0", "stage_1_block_0", "stage_1_block_1")
    for name, rate in zip(names, (0.0, 0.1, 0.2), strict=True):
        unit = model.get_layer(name)
        np.testing.assert_allclose([unit.drop_path1.rate, unit.drop_path2.rate], rate)


def test_a_unit_is_two_residual_branches():
    x = np.random.default_rng(0).normal(size=(2, 4, 6, 16)).astype("float32")
    unit = RepMLPNetUnit(channel_mlp_dim=32, num_sharesets=4)
    unit.build(x.shape)
    with_random_weights(unit)
    middle = x + np.asarray(unit.repmlp(unit.norm1(x)))
    expected = middle + np.asarray(unit.ffn(unit.norm2(middle)))
    np.testing.assert_allclose(unit(x), expected, rtol=0, atol=1e-5)
    assert np.abs(middle - x).max() > 0.01 and np.abs(expected - middle).max() > 0.01


def test_a_unit_is_rebuilt_from_its_config():
    unit = RepMLPNetUnit(32, (2, 3), 4, (3, 5), 2, False, True, 0.1, 0.2)
    assert RepMLPNetUnit.from_config(unit.get_config()).get_config() == unit.get_config()


def test_arguments_reach_every_layer():
    model = tiny(dropout_rate=0.25, reduction=2, mlp_ratio=3, partition_size=((2, 3), 1))
    for name, partition, channels in (
        ("stage_0_block_0", (2, 3), 8),
        ("stage_1_block_1", (1, 1), 16),
    ):
        unit = model.get_layer(name)
        assert unit.repmlp.partition == partition
        assert unit.repmlp.global_perceptron.hidden_dim == channels // 2
        assert unit.ffn.hidden_dim == 3 * channels
        assert unit.ffn.dropout1.rate == unit.ffn.dropout2.rate == 0.25


def test_both_ways_to_put_partitions_together():
    official = with_random_weights(tiny(partition_size=((2, 3), (2, 3))))
    plain = tiny(partition_size=((2, 3), (2, 3)), official_reassembly=False)
    plain.set_weights(official.get_weights())
    x = np.random.default_rng(0).integers(0, 256, (2, *official.image_shape)).astype("uint8")
    assert np.abs(predict(official, x) - predict(plain, x)).max() > 1e-3
    whole, other = with_random_weights(tiny()), tiny(official_reassembly=False)
    other.set_weights(whole.get_weights())
    np.testing.assert_array_equal(predict(whole, x), predict(other, x))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("image_shape", (20, 24, 3), "gives a map of 5 x 6 patches, which 2 stages cannot halve"),
        ("num_sharesets", (3, 4), "`num_sharesets`=3 does not divide the 8 channels"),
        ("num_sharesets", (2,), "`num_sharesets` must be a tuple of 2 values"),
        ("partition_size", ((3, 3), 1), "`partition_size`=(3, 3) does not divide a map of 4 x 6"),
        ("partition_size", (2, 2, 2), "`partition_size` must be a tuple of 2 values"),
        ("kernel_sizes", (1, 2), "`kernel_sizes` must be distinct odd numbers, got (1, 2)"),
        ("kernel_sizes", (3, 3), "`kernel_sizes` must be distinct odd numbers, got (3, 3)"),
        ("reduction", 9, "`reduction`=9 is above the 8 channels"),
        ("mlp_ratio", 1.5, "`mlp_ratio` must be a positive integer, got 1.5"),
    ],
)
def test_refuses_arguments_that_do_not_fit(name, value, message):
    with pytest.raises(ValueError) as error:
        tiny(**{name: value})
    assert message in str(error.value)
