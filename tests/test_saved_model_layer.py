"""SavedModels inside Keras models: inference, training, freezing, reloading, and damage."""

import json
import pathlib
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mlp import RepMLPNet, SavedModelLayer, export_saved_model
from tests.contract import with_random_weights
from tests.export.toys import toy
from tests.own_process import run_in_own_process

PIXELS = np.random.default_rng(1).integers(0, 256, (16, 8, 8, 3)).astype("uint8")
IMAGES = np.random.default_rng(2).random((16, 8, 8, 3), "float32")
LABELS = np.random.default_rng(3).integers(0, 2, 16)


@pytest.fixture(scope="module")
def model():
    return toy()


@pytest.fixture(scope="module")
def path(model, tmp_path_factory):
    return export_saved_model(model, tmp_path_factory.mktemp("saved") / "toy")


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    """The folder of a SavedModel with drop path too, which a first block never has."""
    return export_saved_model(toy(num_layers=2), tmp_path_factory.mktemp("saved") / "deep")


@pytest.fixture(scope="module")
def layer(path):
    """A layer for tests that change neither its weights nor what is frozen."""
    return SavedModelLayer(path)


@pytest.fixture(scope="module")
def steady(tmp_path_factory):
    """The folder of a SavedModel without dropout."""
    model = toy(dropout_rate=0.0, drop_path_rate=0.0)
    return export_saved_model(model, tmp_path_factory.mktemp("saved") / "steady")


def classifier(path, dtype="uint8", trainable=True, functional=True):
    """A new head, for two classes, on a SavedModel."""
    layer = SavedModelLayer(path, trainable=trainable, name="backbone")
    head = keras.layers.Dense(2, name="head")
    inputs = keras.Input((8, 8, 3), dtype=dtype)
    if not functional:
        return keras.Sequential([inputs, layer, head])
    return keras.Model(inputs, head(layer(inputs)))


def fit(model, images, epochs=1, adam=False, jit_compile=False):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.Adam(0.01) if adam else keras.optimizers.SGD(0.1)
    model.compile(optimizer, loss, jit_compile=jit_compile)
    return model.fit(images, LABELS, batch_size=8, epochs=epochs, verbose=0).history["loss"]


def values(layer):
    return [np.array(weight) for weight in layer.weights]


def assert_trained(before, layer):
    """All of a layer's trainable weights have changed; they come first in `weights`."""
    assert layer.trainable_weights
    for old, weight in zip(before, layer.trainable_weights, strict=False):
        assert np.any(old != np.array(weight)), weight.path


@pytest.mark.parametrize("explicit", [True, False], ids=["functional", "sequential"])
def test_pixels_that_became_floats_are_refused(layer, explicit):
    """Keras casts them to the input's dtype; scaling them again would give wrong images."""
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, layer(inputs)) if explicit else keras.Sequential([layer])
    for call in (model, tf.function(model)):
        with pytest.raises(tf.errors.InvalidArgumentError, match="got pixels as floats"):
            call(PIXELS)
    np.testing.assert_allclose(model(IMAGES), layer(IMAGES), rtol=0, atol=1e-6)


def test_runs_on_every_time_step(steady):
    layer = SavedModelLayer(steady)
    assert layer.compute_output_shape((None, 8, 8, 3)) == (None, 3)
    clips = keras.Input((4, 8, 8, 3), dtype="uint8")
    model = keras.Model(clips, keras.layers.TimeDistributed(layer)(clips))
    assert model.output_shape == (None, 4, 3)
    outputs = model(PIXELS.reshape(4, 4, 8, 8, 3))
    np.testing.assert_allclose(
        np.reshape(outputs, (16, 3)), layer(PIXELS, training=False), rtol=0, atol=1e-6
    )
    with pytest.raises(ValueError, match=r"takes .*, got \(None, 9, 8, 3\)"):
        layer.compute_output_shape((None, 9, 8, 3))


@pytest.fixture(scope="module")
def half(path):
    return SavedModelLayer(str(path), dtype="mixed_bfloat16")


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_float_images_give_the_models_outputs(model, layer, half, dtype):
    images = IMAGES.astype(dtype)
    expected = model(images.astype("float32") * 255)
    for each in (layer, half):
        outputs = each(images)
        assert keras.backend.standardize_dtype(outputs.dtype) == "float32"
        np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-6)


def test_pixels_give_the_models_outputs(model, layer):
    np.testing.assert_allclose(layer(PIXELS), model(PIXELS), rtol=0, atol=1e-6)


def test_weights_are_the_models(model, layer):
    expected = {weight.path.replace("/", "_"): np.array(weight) for weight in model.weights}
    assert {weight.name for weight in layer.trainable_weights} == set(expected)
    for weight in layer.trainable_weights:
        np.testing.assert_array_equal(weight, expected[weight.name])
    states = layer.non_trainable_weights
    assert len(states) == len(model.variables) - len(model.weights) > 0
    assert all("seed_generator_state" in state.name for state in states)


def test_assigning_a_weight_changes_the_outputs(path):
    layer = SavedModelLayer(path)
    before = np.array(layer(PIXELS))
    bias = next(weight for weight in layer.weights if weight.name == "head_bias")
    bias.assign(bias + 1.0)
    np.testing.assert_allclose(layer(PIXELS), before + 1.0, rtol=0, atol=1e-6)


def test_training_mode_draws_dropout_unless_frozen(path):
    layer = SavedModelLayer(path)
    outputs = np.array(layer(PIXELS))
    np.testing.assert_array_equal(layer(PIXELS, training=False), outputs)
    assert np.abs(layer(PIXELS, training=True) - outputs).max() > 1e-3
    layer.trainable = False
    np.testing.assert_array_equal(layer(PIXELS, training=True), outputs)


@pytest.mark.parametrize(("functional", "dtype"), [(True, "uint8"), (False, "float32")])
def test_fit_with_adam_trains_every_weight(deep, dtype, functional):
    model = classifier(deep, dtype, functional=functional)
    backbone = model.get_layer("backbone")
    before, states = values(backbone), [np.array(s) for s in backbone.non_trainable_weights]
    assert len(backbone.trainable_weights) == 30
    fit(model, PIXELS if dtype == "uint8" else IMAGES, adam=True, jit_compile="auto")
    assert_trained(before, backbone)
    for old, state in zip(states, backbone.non_trainable_weights, strict=True):
        assert np.any(old != np.array(state)), f"{state.path}: the random state did not advance"


@pytest.mark.parametrize("trainable", [True, False])
def test_fit_moves_the_statistics_of_batch_norm_unless_frozen(norms, trainable):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = classifier(norms, "float32", trainable=trainable)
    finally:
        keras.config.set_dtype_policy("float32")
    layer = model.get_layer("backbone")
    assert layer.compute_dtype == "bfloat16" and layer(IMAGES).dtype == "float32"
    statistics = [weight for weight in layer.non_trainable_weights if "moving" in weight.name]
    before = [np.array(weight) for weight in statistics]
    fit(model, IMAGES)
    assert len(statistics) >= 2
    for old, weight in zip(before, statistics, strict=True):
        assert np.array_equal(old, weight) != trainable, weight.path


def test_weights_frozen_before_the_export_stay_so_in_fit(tmp_path):
    exported = toy()
    exported.get_layer("stem").trainable = False
    model = classifier(export_saved_model(exported, tmp_path / "toy"))
    layer = model.get_layer("backbone")
    stem = [weight for weight in layer.non_trainable_weights if weight.name.startswith("stem_")]
    before = [np.array(weight) for weight in stem]
    layer.trainable = False
    layer.trainable = True  # thaws the layer, but not what was frozen inside it
    fit(model, PIXELS)
    assert len(stem) == 2
    for old, weight in zip(before, stem, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_fit_lowers_the_loss_more_than_the_head_alone(steady):
    frozen, tuned = (
        fit(classifier(steady, trainable=trainable), PIXELS, epochs=10, adam=True)[-1]
        for trainable in (False, True)
    )
    assert tuned < 0.8 * frozen


@pytest.mark.parametrize("in_constructor", [True, False])
def test_frozen_does_not_move(path, in_constructor):
    model = classifier(path, trainable=not in_constructor)
    backbone, head = model.get_layer("backbone"), model.get_layer("head")
    if not in_constructor:
        backbone.trainable = False
    before, head_before = values(backbone), values(head)
    assert [weight.path for weight in model.trainable_weights] == ["head/kernel", "head/bias"]
    fit(model, PIXELS)
    assert_trained(head_before, head)
    for old, weight in zip(before, backbone.weights, strict=True):
        np.testing.assert_array_equal(weight, old, err_msg=weight.path)


def test_freezing_the_model_freezes_the_layer(path):
    for model in (classifier(path), classifier(path, trainable=False)):
        model.trainable = False
        assert model.trainable_weights == model.get_layer("backbone").trainable_weights == []


def test_thawed_trains_again(path):
    model = classifier(path, trainable=False)
    backbone = model.get_layer("backbone")
    backbone.trainable = True
    before = values(backbone)
    assert len(backbone.trainable_weights) == 18
    fit(model, PIXELS)
    assert_trained(before, backbone)


def test_keras_file_holds_the_fine_tuned_weights(path, tmp_path):
    model = classifier(path)
    untuned = np.array(model(PIXELS))
    fit(model, PIXELS, adam=True)
    model.save(tmp_path / "tuned.keras")
    reloaded = keras.models.load_model(tmp_path / "tuned.keras", safe_mode=False)
    np.testing.assert_allclose(reloaded(PIXELS), model(PIXELS), rtol=0, atol=1e-6)
    assert np.abs(reloaded(PIXELS) - untuned).max() > 1e-3
    before = values(reloaded.get_layer("backbone"))
    reloaded.fit(PIXELS, LABELS, verbose=0)  # with the optimizer from the file
    assert_trained(before, reloaded.get_layer("backbone"))


def test_keras_file_holds_what_is_frozen(path, tmp_path):
    model = classifier(path)
    model.get_layer("backbone").trainable = False
    model.save(tmp_path / "frozen.keras")
    reloaded = keras.models.load_model(tmp_path / "frozen.keras", safe_mode=False)
    assert [weight.path for weight in reloaded.trainable_weights] == ["head/kernel", "head/bias"]


def test_keras_file_is_refused_in_safe_mode(path, tmp_path):
    classifier(path).save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match=f"names a SavedModel, {path}, .*pass `safe_mode=False`"):
        keras.models.load_model(tmp_path / "model.keras")


def test_a_clone_starts_from_the_folder(model, path):
    clone = keras.models.clone_model(classifier(path))
    outputs = clone.get_layer("backbone")(PIXELS)
    np.testing.assert_allclose(outputs, model(PIXELS), rtol=0, atol=1e-6)


def test_symbolic_outputs_have_shape_and_dtype(layer):
    outputs = layer(keras.Input((8, 8, 3), dtype="uint8"))
    assert outputs.shape == (None, 3)
    assert outputs.dtype == "float32"


@pytest.mark.parametrize(
    ("dtype", "batch", "ranges"),
    [("uint8", PIXELS, [[0, 255], [0, 255], None]), ("float32", IMAGES, [None])],
)
def test_the_surrounding_model_exports_again(path, tmp_path, dtype, batch, ranges):
    model = classifier(path, dtype)
    for weight in model.trainable_weights:
        weight.assign(1.1 * weight)
    again = export_saved_model(model, tmp_path / "again")
    layer = SavedModelLayer(again)
    np.testing.assert_allclose(layer(batch), model(batch), rtol=0, atol=1e-6)
    assert len(layer.trainable_weights) == len(model.trainable_weights) == 20
    info = json.loads((again / "keras_mlp.json").read_text())
    assert [kind["range"] for kind in info["inputs"]] == ranges
    assert "serving_default" in {kind["signature"] for kind in info["inputs"]}
    served = tf.saved_model.load(str(again))
    argument = info["inputs"][0]["argument"]
    outputs = served.signatures["serving_default"](**{argument: tf.constant(batch)})["logits"]
    np.testing.assert_allclose(outputs, model(batch), rtol=0, atol=1e-6)
    with tf.GradientTape() as tape:
        loss = keras.ops.sum(layer(batch, training=True) ** 2)
    for gradient in tape.gradient(loss, [weight.value for weight in layer.trainable_weights]):
        assert np.any(gradient != 0)


def regularized(tmp_path):
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Dense(2, kernel_regularizer=keras.regularizers.L2(0.1))(inputs)
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))
    return model, export_saved_model(model, tmp_path / "regularized")


def test_regularization_losses_are_forwarded(tmp_path):
    model, path = regularized(tmp_path)
    expected = float(model.losses[0])
    layer = SavedModelLayer(path)
    layer(IMAGES)
    assert [float(loss) for loss in layer.losses] == pytest.approx([expected])
    surrounding = keras.Sequential([keras.Input((8, 8, 3)), layer])
    surrounding.compile("sgd", lambda labels, outputs: 0.0 * keras.ops.sum(outputs, -1))
    assert surrounding.evaluate(IMAGES, LABELS, verbose=0) == pytest.approx(expected)
    again = tf.saved_model.load(str(export_saved_model(surrounding, tmp_path / "again")))
    assert [float(loss()) for loss in again.regularization_losses] == pytest.approx([expected])
    layer.trainable = False
    layer(IMAGES)
    assert layer.losses == []


def test_runs_and_trains_the_saved_model_of_others(tmp_path):
    scale = tf.Variable(2.0, name="scale")
    other = tf.train.Checkpoint(variables=[scale], trainable_variables=[scale])
    signature = [tf.TensorSpec([None, 4], tf.float32)]
    other.__call__ = tf.function(lambda x: x * scale, input_signature=signature)  # no `training`
    tf.saved_model.save(other, str(tmp_path / "other"))
    layer = SavedModelLayer(tmp_path / "other")
    inputs = np.ones((3, 4), "float32")
    np.testing.assert_array_equal(layer(inputs, training=True), 2 * inputs)
    model = keras.Sequential([layer])
    model.compile(keras.optimizers.Adam(0.1), "mse")
    model.fit(inputs, 5 * inputs, verbose=0)
    np.testing.assert_allclose(layer(inputs), 2.1 * inputs, rtol=1e-5)


MIRRORED = """
import sys, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras
from keras_mlp import SavedModelLayer

pixels = np.random.default_rng(1).integers(0, 256, (16, 8, 8, 3)).astype("uint8")
labels = np.random.default_rng(3).integers(0, 2, 16)

def trained(strategy, optimizer, path):
    with strategy.scope():
        keras.utils.set_random_seed(0)
        layer = SavedModelLayer(path)
        head = keras.layers.Dense(2)
        model = keras.Sequential([keras.Input((8, 8, 3), dtype="uint8"), layer, head])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer(), loss)
    before = [np.array(v) for v in model.trainable_variables]
    model.fit(pixels, labels, batch_size=8, epochs=1, shuffle=False, verbose=0)
    return before, [np.array(v) for v in model.trainable_variables]

def sgd(): return keras.optimizers.SGD(0.1)
def adam(): return keras.optimizers.Adam(0.01)

devices = ["CPU:0", "CPU:1"]
steady, random = sys.argv[1:]
one = trained(tf.distribute.OneDeviceStrategy("CPU:0"), sgd, steady)[1]
before, two = trained(tf.distribute.MirroredStrategy(devices), sgd, steady)
assert len(one) == len(two) == 20
for a, b in zip(one, two):
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)
before, after = trained(tf.distribute.MirroredStrategy(devices), adam, random)
assert all((a != b).any() for a, b in zip(before, after))
"""


@pytest.fixture(scope="module")
def norms(tmp_path_factory):
    """The folder of a SavedModel with BatchNorm, which takes images in [0, 1]."""
    arguments = {"patch_size": 4, "num_layers": (1,), "hidden_dim": (8,), "num_sharesets": (2,)}
    model = RepMLPNet(
        image_shape=(8, 8, 3), kernel_sizes=(1,), mlp_ratio=2, num_classes=3, **arguments
    )
    model = with_random_weights(model)
    return export_saved_model(model, tmp_path_factory.mktemp("saved") / "norms")


@pytest.mark.sweep
def test_mirrored_replicas_train_as_one_device_does(path, steady):
    """In a process of its own: devices are divided before TensorFlow starts."""
    run_in_own_process(MIRRORED, steady, path)


MIRRORED_NORMS = """
import sys, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras
from keras_mlp import SavedModelLayer

images = np.random.default_rng(1).random((16, 8, 8, 3), "float32")
labels = np.random.default_rng(3).integers(0, 2, 16)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    keras.config.set_dtype_policy("mixed_bfloat16")
    layer = SavedModelLayer(sys.argv[1])
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, keras.layers.Dense(2, dtype="float32")(layer(inputs)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss)
statistics = [weight for weight in layer.non_trainable_weights if "moving" in weight.name]
before = [np.array(weight) for weight in statistics]
model.fit(images, labels, batch_size=8, epochs=1, shuffle=False, verbose=0)
assert len(statistics) >= 2
for old, weight in zip(before, statistics):
    replicas = strategy.experimental_local_results(weight.value)
    assert len(replicas) == 2
    for replica in map(np.array, replicas):  # each has its own, as everywhere in Keras
        assert np.isfinite(replica).all() and (replica != old).any()
"""


@pytest.mark.sweep
def test_mirrored_replicas_move_the_statistics_of_batch_norm(norms):
    run_in_own_process(MIRRORED_NORMS, norms)


def truncate(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def flip_a_bit(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


GRAPH, WEIGHTS = "saved_model.pb", "variables/variables.data-00000-of-00001"


@pytest.mark.parametrize("damage", [truncate, flip_a_bit, pathlib.Path.unlink])
@pytest.mark.parametrize("name", [GRAPH, WEIGHTS, "variables/variables.index"])
def test_a_damaged_file_is_one_line_that_names_it(path, tmp_path, name, damage):
    folder = shutil.copytree(path, tmp_path / "toy")
    damage(folder / name)
    with pytest.raises(ValueError, match=f"^{folder} is damaged: {name} is .*") as error:
        SavedModelLayer(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        (GRAPH, truncate, "cannot be loaded; it may be damaged: "),
        (GRAPH, pathlib.Path.unlink, "is not a SavedModel: it holds no saved_model.pb"),
        (WEIGHTS, truncate, "cannot be loaded; it may be damaged: "),
        (WEIGHTS, flip_a_bit, "cannot be loaded; it may be damaged: "),
        (WEIGHTS, pathlib.Path.unlink, "cannot be loaded; it may be damaged: "),
    ],
)
def test_damage_that_no_description_tells_is_one_line_too(path, tmp_path, name, damage, message):
    folder = shutil.copytree(path, tmp_path / "toy")
    (folder / "keras_mlp.json").unlink()
    damage(folder / name)
    with pytest.raises(ValueError, match=f"^{folder} {message}") as error:
        SavedModelLayer(folder)
    assert "\n" not in str(error.value)


def test_a_damaged_description_is_refused(path, tmp_path):
    shutil.copytree(path, tmp_path / "toy")
    (tmp_path / "toy" / "keras_mlp.json").write_text("{")
    with pytest.raises(ValueError, match=r"toy/keras_mlp\.json is damaged"):
        SavedModelLayer(tmp_path / "toy")


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"There is no SavedModel folder at {tmp_path}/no"):
        SavedModelLayer(tmp_path / "no")


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(ValueError, match=f"{tmp_path} is not a SavedModel: it holds no saved_m"):
        SavedModelLayer(tmp_path)


def test_a_saved_model_for_inference_only_is_refused(model, tmp_path):
    model.export(tmp_path / "export", verbose=False)
    with pytest.raises(ValueError, match=f"{tmp_path}/export has no `__call__` of one tensor"):
        SavedModelLayer(tmp_path / "export")


@pytest.mark.parametrize("symbolic", [True, False])
@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((2, 8, 4, 3), "uint8"), ((8, 8, 3), "float32"), ((2, 8, 8, 3), "int32")],
)
def test_inputs_that_it_does_not_take_are_refused(layer, shape, dtype, symbolic):
    inputs = keras.KerasTensor(shape, dtype) if symbolic else np.zeros(shape, dtype)
    with pytest.raises(ValueError, match=r"toy takes float32 .* or uint8 .*, got ") as error:
        layer(inputs)
    assert f"got {dtype} {shape}." in str(error.value)


def test_another_backend_is_refused(monkeypatch, path):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RuntimeError, match="need the TensorFlow backend and Keras runs on 'jax'"):
        SavedModelLayer(path)
