"""`model.at`: the same variables at another image size."""

import importlib.util
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_mlp
from keras_mlp import ARCHITECTURES, with_image_shape
from keras_mlp.layers.resampling import bilinear_matrix
from keras_mlp.layers.token_grid import fit_tokens, side_matrix
from tests.contract import (
    POLICIES,
    predict,
    reloaded,
    shallow,
    some_pixels,
    with_random_weights,
)
from tests.own_process import run_in_own_process
from tests.run_model_view import results
from tests.test_contract import factory

# The toys have 16 x 24 or 16 x 16 pixels in patches of 4.
SHAPES = ((24, 32, 3), (8, 16, 3), (24, 16, 3))


def toy(architecture, **overrides):
    """One block in each stage: each is resized alone, and the grid is that of all."""
    return with_random_weights(shallow(factory(architecture))(**overrides))


def loss_of(outputs):
    """Their sum with random weights, the same ones in every call."""
    weights = np.random.default_rng(5).normal(size=outputs.shape).astype("float32")
    return tf.reduce_sum(outputs * weights)


def loss_and_gradients(model, images, training=False):
    with tf.GradientTape() as tape:
        loss = loss_of(model(images, training=training))
    weights = model.trainable_weights
    gradients = tape.gradient(loss, [weight.value for weight in weights])
    return float(loss), dict(zip([weight.path for weight in weights], gradients, strict=True))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_computes_what_resized_weights_compute_with_the_same_variables(architecture):
    model = toy(architecture)
    for shape in SHAPES:
        view, baked = model.at(shape), with_image_shape(model, shape)
        images = some_pixels(view)
        np.testing.assert_allclose(predict(view, images), predict(baked, images), rtol=0, atol=2e-5)
        assert view.image_shape == shape and view.grid == baked.grid and view.base is model
        for kind in ("weights", "variables", "trainable_variables", "non_trainable_variables"):
            pairs = zip(getattr(view, kind), getattr(model, kind), strict=True)
            assert all(one is other for one, other in pairs), kind


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_gradients_reach_the_stored_weights(architecture):
    """By finite differences along one random direction of every weight over tokens."""
    model = with_random_weights(factory(architecture)())
    view = model.at((24, 32, 3))
    images = some_pixels(view)
    _, gradients = loss_and_gradients(view, images)
    loss = tf.function(lambda: loss_of(view(images, training=False)), autograph=False)
    rng = np.random.default_rng(6)
    checked = 0
    for weight in model.trainable_weights:
        if not weight.path.endswith(("/kernel", "embeddings", "norm2/gamma")):
            continue
        checked += 1
        start, step = np.array(weight), 1e-2
        direction = rng.normal(size=weight.shape).astype("float32")
        direction /= np.linalg.norm(direction)
        losses = []
        for sign in (1, -1):
            weight.assign(start + sign * step * direction)
            losses.append(float(loss()))
        weight.assign(start)
        found = float(np.sum(np.asarray(gradients[weight.path]) * direction))
        expected = (losses[0] - losses[1]) / (2 * step)
        np.testing.assert_allclose(found, expected, rtol=0.02, atol=2e-3, err_msg=weight.path)
    assert checked > 5


def test_the_gradient_is_that_of_the_resized_kernel_brought_back():
    model = toy("ResMLP")
    view, baked = model.at((24, 32, 3)), with_image_shape(model, (24, 32, 3))
    images = some_pixels(view)
    path = "block_0/token_linear/kernel"
    found = np.asarray(loss_and_gradients(view, images)[1][path])
    of_baked = np.asarray(loss_and_gradients(baked, images)[1][path])
    outputs = np.kron(side_matrix(4, 6, "out"), side_matrix(6, 8, "out"))
    inputs = np.kron(side_matrix(4, 6, "in"), side_matrix(6, 8, "in"))
    np.testing.assert_allclose(found, inputs.T @ of_baked @ outputs, rtol=0, atol=1e-5)


def test_numpy_and_the_graph_share_one_rule():
    kernel = np.random.default_rng(0).normal(size=(7, 7)).astype("float32")
    grids = ((2, 3), (5, 2))
    baked = fit_tokens(kernel.astype("float64"), ("in", "out"), grids, front_tokens=1)
    in_graph = fit_tokens(keras.Variable(kernel), ("in", "out"), grids, front_tokens=1)
    np.testing.assert_allclose(in_graph, baked, rtol=0, atol=1e-6)
    assert baked.shape == (11, 11) and baked[0, 0] == np.float64(kernel[0, 0])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_larger_patches_of_enlarged_images_give_the_same(architecture):
    """Images enlarged bilinearly, patches enlarged alike: the grid and the logits stay."""
    model = toy(architecture, include_preprocessing=False)
    height, width, _ = model.image_shape
    view = model.at((2 * height, 3 * width, 3), patch_size=(8, 12))
    assert view.grid == model.grid and view.patch_size == (8, 12)
    images = np.random.default_rng(0).normal(size=(2, *model.image_shape)).astype("float32")
    patches = images.reshape(2, height // 4, 4, width // 4, 4, 3)
    enlarge = [bilinear_matrix(4, side) for side in (8, 12)]
    patches = np.einsum("ay,bx,nhywxc->nhawbc", *enlarge, patches)
    enlarged = patches.reshape(2, 2 * height, 3 * width, 3).astype("float32")
    np.testing.assert_allclose(predict(view, enlarged), predict(model, images), rtol=0, atol=2e-5)
    _, gradients = loss_and_gradients(view, enlarged)
    assert np.abs(gradients[model.input_kernel]).max() > 1e-3
    # Another grid and another patch at once.
    both = model.at((24, 24, 3), patch_size=2 if architecture != "RepMLPNet" else 3)
    assert predict(both, np.zeros((1, 24, 24, 3), "float32")).shape == (1, 5)
    assert both.grid != model.grid
    np.testing.assert_array_equal(
        predict(reloaded(both), images := np.ones((1, 24, 24, 3), "float32")), predict(both, images)
    )


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_its_own_size_is_the_model_itself(architecture):
    model = toy(architecture)
    assert model.at(list(model.image_shape)) is model
    assert model.at(model.image_shape, patch_size=4) is model
    view = model.at((24, 32, 3))
    assert view.at(model.image_shape) is model
    assert view.at((8, 8, 3)).base is model


@pytest.mark.parametrize("architecture", ["MLPMixer", "FFOnly", "ViT", "RepMLPNet"])
@pytest.mark.parametrize("policy", [*POLICIES[1:], "float16", "bfloat16"])
def test_half_precision(architecture, policy):
    model = toy(architecture, dtype=policy)
    view, baked = model.at((24, 32, 3)), with_image_shape(model, (24, 32, 3))
    images = some_pixels(view)
    assert view.dtype_policy.name == policy
    expected = predict(baked, images)
    tolerance = (0.1 if "bfloat16" in policy else 0.02) * np.abs(expected).max()
    np.testing.assert_allclose(predict(view, images), expected, rtol=0, atol=tolerance)
    _, gradients = loss_and_gradients(view, images)
    for path, gradient in gradients.items():
        assert np.isfinite(np.asarray(gradient, "float32")).all(), path


def test_fit_trains_the_stored_weights():
    """Steps at a view and at its own size in turn equal those of plain gradient descent."""
    model = toy("MLPMixer", dropout_rate=0.1, drop_path_rate=0.1)
    view = model.at((24, 16, 3))
    images = {each.name: some_pixels(each, batch=8) for each in (model, view)}
    labels = np.arange(8) % 5
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.Adam(1e-2)
    for each in (model, view):
        each.compile(optimizer, loss, jit_compile=False)
    before = {weight.path: np.array(weight) for weight in model.weights}
    first = view.evaluate(images[view.name], labels, verbose=0)
    for _ in range(5):
        for each in (model, view):
            each.fit(images[each.name], labels, batch_size=8, verbose=0)
    assert int(optimizer.iterations) == 10
    assert view.evaluate(images[view.name], labels, verbose=0) < first
    frozen = ("token_mlp/fc2/bias",)  # no gradient, by the design
    for weight in model.weights:
        assert not np.array_equal(weight, before[weight.path]) or weight.path.endswith(frozen)


@pytest.mark.parametrize("architecture", ["MLPMixer", "ViT", "ConvMixer"])
def test_frozen_layers_and_lora_are_shared(architecture):
    model = toy(architecture)
    model.get_layer("stem").trainable = False
    if architecture == "MLPMixer":
        keras_mlp.enable_lora(model, 2)
        factor = model.get_layer("block_0").token_mlp.fc1.lora_kernel_b
        factor.assign(np.random.default_rng(0).normal(size=factor.shape))
    view = model.at((24, 32, 3))
    assert [w.path for w in view.trainable_weights] == [w.path for w in model.trainable_weights]
    images = some_pixels(view)
    merged = keras_mlp.merge_lora(model) if architecture == "MLPMixer" else model
    expected = predict(with_image_shape(merged, (24, 32, 3)), images)
    np.testing.assert_allclose(predict(view, images), expected, rtol=0, atol=2e-5)
    _, gradients = loss_and_gradients(view, images)
    if architecture == "MLPMixer":
        assert np.abs(gradients["block_0/token_mlp/fc1/lora_kernel_a"]).max() > 0
    assert "stem/projection/kernel" not in gradients


@pytest.mark.parametrize("architecture", ["MLPMixer", "GMLP", "FFOnly", "VisionPermutator"])
def test_int8_kernels_are_resized_as_floats(architecture):
    model = toy(architecture)
    images = some_pixels(model.at((24, 32, 3)))
    expected = predict(model.at((24, 32, 3)), images)
    model.quantize("int8")
    found = predict(model.at((24, 32, 3)), images)
    assert 0 < np.abs(found - expected).max() < 0.1 * np.abs(expected).max()


@pytest.mark.parametrize("change", ["quantize", "quantize the view", "enable_lora"])
def test_compiled_functions_follow_a_change_of_the_shared_layers(change):
    model = with_random_weights(keras_mlp.MLPMixer.from_variant("pico/2", num_classes=3))
    view = model.at((12, 8, 3))
    each = (model, view, view.features(["norm"]))
    pixels = [some_pixels(model), some_pixels(view), some_pixels(view)]
    before = [one.predict(images, verbose=0) for one, images in zip(each, pixels, strict=True)]
    if change == "quantize":
        model.quantize("int8")
    elif change == "quantize the view":
        view.quantize("int8")
    else:
        keras_mlp.enable_lora(model, rank=2)
        for weight in model.trainable_weights:
            weight.assign(weight + 0.1)
    for one, images, old in zip(each, pixels, before, strict=True):
        found, expected = one.predict(images, verbose=0), one(images)
        if isinstance(found, dict):
            found, expected, old = found["norm"], expected["norm"], old["norm"]
        assert np.abs(found - old).max() > 1e-4
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(found).max())


def test_a_file_of_a_view_keeps_the_optimizer_that_it_shares_with_its_base(tmp_path):
    model = keras_mlp.MLPMixer.from_variant("pico/2", num_classes=3)
    view = model.at((12, 8, 3))
    optimizer = keras.optimizers.Adam(1e-3)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for each in (model, view):
        each.compile(optimizer, loss)
        each.fit(some_pixels(each, batch=4), np.array([0, 1, 2, 0]), verbose=0)
    view.save(tmp_path / "view.keras")
    loaded = keras.saving.load_model(tmp_path / "view.keras")
    for one, other in zip(loaded.optimizer.variables, optimizer.variables, strict=True):
        np.testing.assert_array_equal(one, other)
    assert int(loaded.optimizer.iterations) == 2


def test_other_quantizations_are_refused_before_any_work():
    model = toy("MLPMixer")
    model.quantize("int4")
    with pytest.raises(ValueError, match=r"token_mlp/fc\d is quantized to int4: only float"):
        model.at((24, 32, 3))


@pytest.mark.parametrize("architecture", ["MLPMixer", "FFOnly", "RepMLPNet"])
def test_rematerialisation_changes_no_number(architecture):
    results = []
    for remat in (False, True):
        keras.utils.set_random_seed(3)
        # With two blocks: the first does not drop paths.
        model = with_random_weights(factory(architecture)(remat=remat, drop_path_rate=0.3))
        view = model.at((24, 32, 3))
        results.append(loss_and_gradients(view, some_pixels(view, batch=4), training=True))
    np.testing.assert_allclose(results[1][0], results[0][0], rtol=1e-6)
    for path, gradient in results[0][1].items():
        np.testing.assert_allclose(results[1][1][path], gradient, rtol=0, atol=1e-5, err_msg=path)


@pytest.mark.parametrize("architecture", ["MLPMixer", "ViT", "VisionPermutator", "RepMLPNet"])
def test_xla_computes_the_same(architecture):
    view = toy(architecture).at((24, 32, 3))
    images = some_pixels(view)
    compiled = tf.function(lambda x: view(x, training=False), jit_compile=True)
    np.testing.assert_allclose(compiled(images), predict(view, images), rtol=0, atol=1e-5)


@pytest.mark.parametrize("architecture", ["MLPMixer", "RepMLPNet", "FFOnly"])
def test_a_file_of_a_view_holds_the_base_and_the_size(architecture, tmp_path):
    model = toy(architecture, name="toy")
    view = model.at((24, 32, 3))
    json.dumps(view.get_config())
    copy = reloaded(view)
    assert type(copy) is keras_mlp.ModelView and copy.image_shape == (24, 32, 3)
    assert copy.base.get_config() == model.get_config()
    images = some_pixels(view)
    np.testing.assert_array_equal(predict(copy, images), predict(view, images))
    own = some_pixels(model)
    np.testing.assert_array_equal(predict(copy.base, own), predict(model, own))
    # A weights file of a view is one of its base.
    view.save_weights(tmp_path / "toy.weights.h5")
    other = shallow(factory(architecture))()
    other.load_weights(tmp_path / "toy.weights.h5")
    np.testing.assert_array_equal(predict(other, own), predict(model, own))


def test_a_file_of_the_base_has_no_trace_of_its_views(tmp_path):
    model = toy("MLPMixer")
    paths = [weight.path for weight in model.weights]
    config = model.get_config()
    view = model.at((24, 32, 3))
    predict(view, some_pixels(view))
    assert model.get_config() == config and [weight.path for weight in model.weights] == paths
    images = some_pixels(model)
    np.testing.assert_array_equal(predict(reloaded(model), images), predict(model, images))


@pytest.mark.parametrize("architecture", ["MLPMixer", "ViT", "VisionPermutator"])
def test_features_of_a_view_are_those_of_the_resized_model(architecture):
    model = toy(architecture)
    view, baked = model.at((24, 32, 3)), with_image_shape(model, (24, 32, 3))
    images = some_pixels(view)
    block = model.blocks[-1].name
    names = ["stem", block, f"{block}/token_mixing", "norm"]
    found, expected = (each.features(names)(images) for each in (view, baked))
    for name in names:
        assert found[name].shape == expected[name].shape
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=2e-5)


@pytest.mark.parametrize("architecture", ["MLPMixer", "ViT", "RepMLPNet"])
def test_feature_maps_and_probabilities(architecture):
    pooling = {"include_top": False, "pooling": None}
    model = toy(architecture, **pooling)
    view, baked = model.at((24, 32, 3)), with_image_shape(model, (24, 32, 3))
    images = some_pixels(view)
    assert view.output_shape == baked.output_shape and view.logits is None
    np.testing.assert_allclose(predict(view, images), predict(baked, images), rtol=0, atol=2e-5)
    model = toy(architecture, classifier_activation="softmax")
    view = model.at((24, 32, 3))
    logits = predict(keras.Model(view.input, view.logits), images)
    exp = np.exp(logits)
    np.testing.assert_allclose(
        predict(view, images), exp / exp.sum(-1, keepdims=True), rtol=0, atol=1e-6
    )


VARIATIONS = {
    "ViT with registers": ("ViT", {"reg_tokens": 2, "no_embed_class": True}),
    "ViT with two classifiers": ("ViT", {"distillation_token": True}),
    "ViT, mean": ("ViT", {"class_token": False, "pooling": "avg", "norm_after_pooling": True}),
    "aMLP": ("GMLP", {"attention_dim": 4}),
    "FFOnly, own grid": ("FFOnly", {"position_grid": None, "token_mlp_dim": None}),
    "ViP with biases": ("VisionPermutator", {"qkv_bias": True, "weighted": False}),
    "RepMLPNet, deployed": ("RepMLPNet", {"deployed": True}),
}


@pytest.mark.parametrize("variation", VARIATIONS)
def test_variations_of_the_architectures(variation):
    architecture, arguments = VARIATIONS[variation]
    model = toy(architecture, **arguments)
    view, baked = model.at((24, 32, 3)), with_image_shape(model, (24, 32, 3))
    images = some_pixels(view)
    np.testing.assert_allclose(predict(view, images), predict(baked, images), rtol=0, atol=2e-5)


def test_partitions_of_repmlpnet_stay_as_large():
    sizes = {"partition_size": (2, (2, 3)), "official_reassembly": False}
    model = toy("RepMLPNet", **sizes)
    assert model.grid_step == (4, 6)
    view, baked = model.at((32, 48, 3)), with_image_shape(model, (32, 48, 3))
    images = some_pixels(view)
    np.testing.assert_allclose(predict(view, images), predict(baked, images), rtol=0, atol=2e-5)
    with pytest.raises(ValueError, match="multiples of 16 and widths that are multiples of 24"):
        model.at((24, 48, 3))
    with pytest.raises(ValueError, match="`official_reassembly`=True puts together"):
        toy("RepMLPNet", partition_size=(2, (2, 3))).at((32, 48, 3))


def test_tools_that_need_the_model_itself_say_so(tmp_path):
    view = factory("MLPMixer")(name="toy").at((24, 32, 3))
    with pytest.raises(ValueError, match=r"toy_at_24x32 is a view of toy: give `view\.base`"):
        keras_mlp.enable_lora(view, 2)
    with pytest.raises(
        ValueError, match=r"is a view of toy: export `view\.base` with `image_shapes`"
    ):
        keras_mlp.export_saved_model(view, tmp_path / "saved")


def test_images_of_another_size_are_refused_with_the_way_out():
    model = factory("MLPMixer")(name="toy")
    view = model.at((24, 32, 3))
    with pytest.raises(ValueError, match=r"toy_at_24x32 expected .*\(B, 24, 32, 3\).*model.at\("):
        view(np.zeros((1, 16, 24, 3), "uint8"))
    with pytest.raises(ValueError, match=r"toy expected images of shape \(B, 16, 24, 3\)"):
        model(np.zeros((1, 24, 32, 3), "uint8"))


@pytest.mark.parametrize(
    ("architecture", "shape", "message"),
    [
        ("MLPMixer", (24, 32), "`image_shape` must be (height, width, channels), got (24, 32)."),
        ("MLPMixer", (24, 32, 1), "another number of channels than toy, 3"),
        (
            "MLPMixer",
            (26, 32, 3),
            "takes heights that are multiples of 4 and widths that are multiples of 4, got "
            "`image_shape`=(26, 32, 3). The nearest: 24 x 32 and 28 x 32.",
        ),
        ("RepMLPNet", (20, 24, 3), "heights that are multiples of 8"),
        ("VisionPermutator", (3, 24, 3), "multiples of 8, got `image_shape`=(3, 24, 3)"),
        ("ViT", (0, 24, 3), "must be a positive integer, got 0"),
    ],
)
def test_a_size_that_does_not_fit_is_refused_with_those_that_do(architecture, shape, message):
    model = factory(architecture)(name="toy")
    with pytest.raises(ValueError) as error:
        model.at(shape)
    assert message in str(error.value) and "\n" not in str(error.value)


def assert_same_in_a_process(architectures, folder, *arguments, **environment):
    """What `tests.run_model_view` computes there equals what it computes here."""
    for architecture in architectures:
        toy(architecture).save(folder / f"{architecture}.keras")
    command = "from tests.run_model_view import main; main()"
    run_in_own_process(command, folder, *arguments, **environment)
    for architecture in architectures:
        expected = results(folder / f"{architecture}.keras")
        with np.load(folder / f"{architecture}.npz") as found:
            for name, array in expected.items():
                np.testing.assert_allclose(found[name], array, rtol=0, atol=5e-5, err_msg=name)


@pytest.mark.sweep
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
def test_jax_computes_and_trains_the_same(tmp_path):
    architectures = ("MLPMixer", "ViT", "VisionPermutator", "RepMLPNet")
    environment = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    assert_same_in_a_process(architectures, tmp_path, **environment)


@pytest.mark.sweep
def test_two_replicas_train_the_same_as_one(tmp_path):
    assert_same_in_a_process(("MLPMixer",), tmp_path, "replicas")
