"""deploy: equal outputs with random statistics, a new model, and clear refusals."""

import keras
import numpy as np
import pytest

import keras_mlp
from keras_mlp import MLPMixer, RepMLPNet, deploy, freeze_through
from keras_mlp.layers import Dense, RepMLP, RepMLPBlock
from tests.contract import (
    POLICIES,
    layers_of,
    moves_batch_statistics_in_training_only,
    predict,
    reloaded,
    some_pixels,
    with_random_weights,
)
from tests.test_contract import factory

tiny = factory("RepMLPNet")
SHAPE = (8, 12, 4)
X = np.random.default_rng(0).normal(size=(3, *SHAPE)).astype("float32")


def small_cnn(shape=SHAPE):
    """A convolutional network with a RepMLP, a RepMLPBlock and a residual connection."""
    inputs = keras.Input(shape, name="image")
    x = keras.layers.Conv2D(8, 3, padding="same", name="conv")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.ReLU()(x)
    y = RepMLP(8, partition_size=4, groups=2, name="repmlp")(x)
    x = x + keras.layers.ReLU()(y)
    x = RepMLPBlock(num_sharesets=4, name="repmlp_block")(x)
    x = keras.layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False, name="depthwise")(x)
    x = keras.layers.BatchNormalization(scale=False, name="depthwise_norm")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = Dense(6, name="dense")(x)
    x = keras.layers.BatchNormalization(center=False, name="dense_norm")(x)
    return with_random_weights(keras.Model(inputs, keras.layers.Softmax()(x), name="small_cnn"))


def batch_norms(model):
    return [each for each in layers_of(model) if type(each) is keras.layers.BatchNormalization]


def assert_equal_outputs(copy, model, x=X):
    expected = predict(model, x)
    assert np.abs(expected[0] - expected[1]).max() > 1e-3  # so that the comparison is not trivial
    np.testing.assert_allclose(predict(copy, x), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"kernel_sizes": (1, 3)},
        {"kernel_sizes": ()},
        {"partition_size": ((2, 3), (2, 1))},
        {"partition_size": ((2, 3), (2, 1)), "official_reassembly": False},
        {"include_top": False, "pooling": None},
    ],
)
def test_repmlpnet_deploys(arguments):
    model = with_random_weights(tiny(**arguments))
    copy = deploy(model)
    assert type(copy) is RepMLPNet and copy.deployed and not model.deployed
    assert copy.get_config() == {**model.get_config(), "deployed": True}
    assert_equal_outputs(copy, model, some_pixels(model))
    # BatchNorms outside the blocks remain: stem, downsample, head, and 4 in each of 3 units.
    assert len(batch_norms(copy)) == 3 + 3 * 4
    kinds = (keras.layers.DepthwiseConv2D,)
    assert not [layer for layer in layers_of(copy) if isinstance(layer, kinds)]


def test_a_deployed_model_survives_a_file():
    model = with_random_weights(tiny())
    copy = deploy(model)
    loaded = reloaded(copy)
    assert type(loaded) is RepMLPNet and loaded.deployed
    np.testing.assert_array_equal(
        predict(loaded, some_pixels(model)), predict(copy, some_pixels(model))
    )


@pytest.mark.parametrize("policy", POLICIES)
def test_keeps_policy_name_and_frozen_layers(policy):
    model = with_random_weights(tiny(dtype=policy, name="toy"))
    model.get_layer("stage_0_block_0").trainable = False
    copy = deploy(model)
    assert copy.name == "toy" and copy.dtype_policy.name == policy
    assert not copy.get_layer("stage_0_block_0").trainable
    tolerance = 1e-5 if policy == "float32" else 0.1
    images = some_pixels(model)
    np.testing.assert_allclose(
        predict(copy, images), predict(model, images), rtol=0, atol=tolerance
    )


def test_never_changes_its_argument():
    model = small_cnn()
    before, config = model.get_weights(), model.get_config()
    expected = predict(model, X)
    copy = deploy(model)
    for weight in copy.weights:
        weight.assign(np.zeros(weight.shape))
    assert model.get_config() == config
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(predict(model, X), expected)


def test_functional_models_deploy_whole():
    model = small_cnn()
    copy = deploy(model)
    assert_equal_outputs(copy, model)
    assert batch_norms(copy) == [] and copy.name == "small_cnn"
    names = [layer.name for layer in model.layers if layer not in batch_norms(model)]
    assert [layer.name for layer in copy.layers] == names
    assert [each.name for each in copy.layers[:1]] == ["image"]
    assert copy.get_layer("depthwise").use_bias and not model.get_layer("depthwise").use_bias
    assert_equal_outputs(reloaded(copy), model)


def test_a_compiled_model_with_a_loss_of_its_own_deploys():
    model = small_cnn()
    model.compile("adam", loss=lambda true, predicted: predicted)
    assert not deploy(model).compiled


def test_sequential_models_deploy():
    layers = [keras.Input(SHAPE), keras.layers.Conv2D(8, 3, activation="relu")]
    layers += [RepMLPBlock(), keras.layers.Conv2D(3, 1), keras.layers.BatchNormalization()]
    model = with_random_weights(keras.Sequential(layers))
    copy = deploy(model)
    assert type(copy) is keras.Sequential and batch_norms(copy) == []
    assert_equal_outputs(copy, model)


def test_models_inside_models_deploy():
    inner, mixer = small_cnn(), factory("MLPMixer")(image_shape=(16, 16, 3))
    features = tiny(image_shape=(16, 16, 3), include_top=False, name="features")
    pixels = keras.Input((16, 16, 3))
    x = features(pixels)
    maps = keras.layers.Conv2D(4, 3, name="conv")(keras.layers.Resizing(10, 14)(pixels))
    outputs = keras.layers.Concatenate()([x, mixer(pixels), inner(maps)])
    model = with_random_weights(keras.Model(pixels, outputs))
    copy = deploy(model)
    assert copy.get_layer("features").deployed
    assert batch_norms(copy.get_layer("small_cnn")) == []
    images = np.random.default_rng(0).uniform(0, 255, (2, 16, 16, 3)).astype("float32")
    assert_equal_outputs(copy, model, images)


def test_feature_models_deploy_and_stay_frozen():
    model = freeze_through(with_random_weights(factory("RepMLPNet")()), "stage_0_block_0")
    features = model.features(["stage_0_block_0", "head"])
    copy = deploy(features)
    assert type(copy) is type(features) and copy.name == features.name
    images = some_pixels(model)
    for name, expected in features(images).items():
        np.testing.assert_allclose(copy(images)[name], expected, rtol=0, atol=1e-5)
    trained = {weight.path.partition("/")[0] for weight in copy.trainable_weights}
    assert trained == {layer.name for layer in model.layers if layer.trainable and layer.weights}


def test_a_layer_that_another_model_uses_too_is_folded_in_the_copy_only():
    model = small_cnn()
    inputs = keras.Input(SHAPE)
    other = keras.Model(inputs, model.get_layer("conv")(inputs))
    before = predict(other, X)
    copy = deploy(model)
    assert_equal_outputs(copy, model)
    assert batch_norms(copy) == []
    np.testing.assert_array_equal(predict(other, X), before)


def test_shared_layers_stay_shared():
    block = RepMLPBlock(name="repmlp")
    inputs = keras.Input(SHAPE)
    model = with_random_weights(keras.Model(inputs, block(keras.layers.ReLU()(block(inputs)))))
    copy = deploy(model)
    assert_equal_outputs(copy, model)
    assert len(copy.weights) == 6


def not_foldable(kind):
    """A model whose BatchNorm must stay, followed by a RepMLP."""
    inputs = keras.Input(SHAPE)
    conv = keras.layers.Conv2D(4, 3, padding="same", activation="relu" if kind == "relu" else None)
    norm = keras.layers.BatchNormalization(axis=1 if kind == "axis" else -1)
    if kind == "add between":
        x = norm(conv(inputs) + 1.0)
    elif kind == "output used twice":
        y = conv(inputs)
        x = norm(y) + y
    elif kind == "layer used twice":
        x = norm(conv(inputs)) + conv(keras.layers.ReLU()(inputs))
    elif kind == "norm used twice":
        x = norm(keras.layers.ReLU()(norm(conv(inputs))))
    else:
        x = norm(conv(inputs))
    outputs = RepMLP(4)(x)
    if kind == "output of the model":
        outputs = [outputs, norm.input]
    return with_random_weights(keras.Model(inputs, outputs))


@pytest.mark.parametrize(
    "kind",
    [
        "relu",
        "axis",
        "add between",
        "output used twice",
        "layer used twice",
        "norm used twice",
        "output of the model",
    ],
)
def test_a_batch_norm_that_cannot_be_folded_stays(kind):
    model = not_foldable(kind)
    copy = deploy(model)
    assert len(batch_norms(copy)) == 1
    outputs, expected = keras.tree.flatten(copy(X)), keras.tree.flatten(model(X))
    for output, other in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(output, other, rtol=1e-5, atol=2e-5)


def test_a_batch_norm_that_always_trains_stays():
    inputs = keras.Input(SHAPE)
    x = keras.layers.Conv2D(4, 3)(inputs)
    x = keras.layers.BatchNormalization()(x, training=True)
    model = with_random_weights(keras.Model(inputs, RepMLP(4)(x)))
    assert len(batch_norms(deploy(model))) == 1


def test_a_deployed_model_trains_further():
    moves_batch_statistics_in_training_only(lambda: deploy(with_random_weights(tiny())))


class Wrapper(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = RepMLPBlock(name="inner")

    def call(self, inputs):
        return self.inner(inputs)


class Subclassed(keras.Model):
    def call(self, inputs):
        return inputs


class FunctionalSubclass(keras.Model):
    def __init__(self):
        inputs = keras.Input(SHAPE)
        super().__init__(inputs, RepMLPBlock()(inputs), name="mine")


def functional(*layers):
    inputs = x = keras.Input(SHAPE)
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x, name="toy")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: functional(keras.layers.ReLU()), "`model` toy has nothing to fold"),
        (lambda: MLPMixer.from_variant("pico/2", name="toy"), "`model` toy has nothing to fold"),
        (lambda: tiny(deployed=True, name="toy"), "`model` toy has nothing to fold"),
        (lambda: deploy(functional(RepMLPBlock())), "`model` toy has nothing to fold"),
        (
            lambda: functional(Wrapper(name="mine")),
            r"its layer mine \(Wrapper\) holds the RepMLP layer inner",
        ),
        (
            lambda: tiny(name="toy").features(["stage_0_block_0/token_mixing"]),
            "has taps inside blocks, which cannot be folded: deploy the whole model first",
        ),
        (FunctionalSubclass, "`model` mine is of the class FunctionalSubclass"),
        (lambda: functional(Subclassed(name="mine")), "`model` mine is of the class Subclassed"),
        (Subclassed, "`model` must be a built functional or sequential model"),
        (lambda: keras.Sequential([RepMLPBlock()]), "`model` must be a built functional"),
        (lambda: RepMLPBlock(), "`model` must be a built functional"),
        (lambda: "model.keras", "`model` must be a built functional"),
    ],
)
def test_refuses_with_the_reason(make, message):
    with pytest.raises(ValueError, match=message):
        deploy(make())


def quantize(model):
    model.quantize("int8")


def give_factors(model):
    keras_mlp.enable_lora(model, rank=2)
    with_random_weights(model)


@pytest.mark.parametrize("change", [quantize, give_factors])
def test_keeps_quantized_layers_and_lora_factors(change):
    model = with_random_weights(tiny())
    change(model)
    copy = deploy(model)
    assert_equal_outputs(copy, model, some_pixels(model))
    assert copy.get_config()["quantized"] == model.get_config()["quantized"]
    assert copy.get_config()["lora"] == model.get_config()["lora"]


def test_keeps_frozen_what_is_still_there():
    model = tiny()
    unit = model.get_layer("stage_0_block_0")
    for layer in (unit.ffn, unit.repmlp.convolutions[0]):
        layer.trainable = False
    assert deploy(model).get_config()["frozen"] == ["stage_0_block_0/ffn"]


def test_is_public():
    assert keras_mlp.deploy is deploy
