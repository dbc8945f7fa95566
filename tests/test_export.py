"""What `export_saved_model` writes, read back by plain TensorFlow."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mlp import ARCHITECTURES, MLPMixer, export, export_saved_model, saved_model_info
from tests.contract import with_random_weights

BATCHES = (1, 5, 33)


def toy(**overrides):
    arguments = {
        "image_shape": (8, 8, 3),
        "patch_size": 4,
        "num_layers": 2,
        "hidden_dim": 8,
        "token_mlp_dim": 6,
        "channel_mlp_dim": 16,
        "num_classes": 3,
        "dropout_rate": 0.3,
        "drop_path_rate": 0.3,
    }
    return with_random_weights(MLPMixer(**{**arguments, **overrides}))


def some_pixels(batch):
    return np.random.default_rng(1).integers(0, 256, (batch, 8, 8, 3)).astype("uint8")


def some_images(batch):
    return np.random.default_rng(2).random((batch, 8, 8, 3), "float32")


def functional(*inputs, outputs=1):
    x = keras.layers.Flatten()(inputs[0] if len(inputs) == 1 else keras.layers.Add()(inputs))
    dense = [keras.layers.Dense(2)(x) for _ in range(outputs)]
    return keras.Model(
        list(inputs) if len(inputs) > 1 else inputs[0], dense if outputs > 1 else dense[0]
    )


IMAGE = {"shape": (4, 4, 3)}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A stochastic toy and the folder of its SavedModel."""
    model = toy()
    return model, export_saved_model(model, tmp_path_factory.mktemp("saved") / "toy")


@pytest.mark.parametrize("batch", BATCHES)
def test_outputs_equal_the_keras_model(exported, batch):
    model, path = exported
    loaded = tf.saved_model.load(str(path))
    pixels, images = some_pixels(batch), some_images(batch)
    np.testing.assert_allclose(loaded(pixels), model(pixels), rtol=0, atol=1e-6)
    np.testing.assert_allclose(loaded(images), model(images * 255), rtol=0, atol=1e-6)
    assert np.ptp(loaded(images)) > 0.1  # the comparisons above mean something


def test_every_way_to_call_it_gives_the_same(exported):
    loaded = tf.saved_model.load(str(exported[1]))
    pixels, images = some_pixels(4), some_images(4)
    expected = loaded(images)
    for outputs in (
        loaded(images, False),
        loaded(images, training=False),
        loaded.serve(images),
        loaded.signatures["serving_default"](images=tf.constant(images))["logits"],
    ):
        np.testing.assert_array_equal(outputs, expected)
    served = loaded.signatures["serving_uint8"](pixels=tf.constant(pixels))
    assert list(served) == ["logits"]
    np.testing.assert_array_equal(served["logits"], loaded.serve(pixels))


@pytest.mark.parametrize("make_batch", [some_images, some_pixels])
def test_training_mode_draws_dropout(exported, make_batch):
    loaded, batch = tf.saved_model.load(str(exported[1])), make_batch(5)
    for train in (lambda: loaded(batch, training=True), lambda: loaded.train(batch)):
        first, second = train(), train()
        assert np.abs(first - second).max() > 1e-3
        assert np.abs(first - loaded(batch)).max() > 1e-3


def test_training_mode_changes_nothing_without_dropout(tmp_path):
    path = export_saved_model(toy(dropout_rate=0.0, drop_path_rate=0.0), tmp_path / "toy")
    loaded = tf.saved_model.load(str(path))
    np.testing.assert_array_equal(loaded(some_pixels(5), training=True), loaded(some_pixels(5)))


def test_one_step_of_adam_moves_every_trainable_weight(exported):
    model, path = exported
    loaded = tf.saved_model.load(str(path))
    weights = list(loaded.trainable_variables)
    assert len(weights) == len(model.trainable_weights) > 0
    assert len(loaded.variables) == len(model.variables) > len(weights)  # random states too
    before = [weight.numpy() for weight in weights]
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(loaded(some_images(5), training=True) ** 2)
    optimizer = keras.optimizers.Adam(0.1)
    optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
    for weight, old in zip(weights, before, strict=True):
        assert np.any(weight.numpy() != old), weight.name


def test_frozen_layers_are_not_in_the_trainable_variables(tmp_path):
    model = toy()
    model.get_layer("stem").trainable = False
    loaded = tf.saved_model.load(str(export_saved_model(model, tmp_path / "toy")))
    names = {variable.name for variable in loaded.variables}
    left_out = names - {variable.name for variable in loaded.trainable_variables}
    assert {"stem/projection/kernel:0", "stem/projection/bias:0"} <= left_out
    assert len(loaded.trainable_variables) == len(model.weights) - 2


def test_features_are_what_the_classifier_sees(exported, tmp_path):
    model, _ = exported
    path = export_saved_model(model, tmp_path / "features", output="features")
    loaded, pixels = tf.saved_model.load(str(path)), some_pixels(5)
    expected = keras.Model(model.input, model.get_layer("pool").output)(pixels)
    np.testing.assert_allclose(loaded(pixels), expected, rtol=0, atol=1e-6)
    served = loaded.signatures["serving_default"](images=tf.constant(some_images(5)))
    assert served["default"].shape == (5, 8)
    assert not any(variable.name.startswith("head/") for variable in loaded.variables)
    assert saved_model_info(path)["output"] == "features"


def test_a_model_without_top_exports_features(tmp_path):
    model = toy(include_top=False)
    path = export_saved_model(model, tmp_path / "toy")
    served = tf.saved_model.load(str(path)).signatures["serving_uint8"]
    outputs = served(pixels=tf.constant(some_pixels(2)))["default"]
    np.testing.assert_allclose(outputs, model(some_pixels(2)), rtol=0, atol=1e-6)
    assert saved_model_info(path)["output"] == "features"


def test_a_model_without_preprocessing_takes_its_own_floats_only(tmp_path):
    model, images = toy(include_preprocessing=False), some_images(2)
    path = export_saved_model(model, tmp_path / "toy")
    loaded = tf.saved_model.load(str(path))
    np.testing.assert_allclose(loaded(images), model(images), rtol=0, atol=1e-6)
    assert list(loaded.signatures) == ["serving_default"]
    with pytest.raises(ValueError, match="Could not find matching concrete function"):
        loaded(some_pixels(2))
    assert [kind["range"] for kind in saved_model_info(path)["inputs"]] == [None]


@pytest.mark.parametrize(
    ("policy", "output"),
    [("mixed_bfloat16", "logits"), ("mixed_float16", "features"), ("bfloat16", "features")],
)
def test_half_precision_gives_float32(policy, output, tmp_path):
    model = toy(dtype=policy)
    loaded = tf.saved_model.load(str(export_saved_model(model, tmp_path / "toy", output=output)))
    part = model if output == "logits" else keras.Model(model.input, model.get_layer("pool").output)
    for inputs, pixels in (
        (some_pixels(5), some_pixels(5)),
        (some_images(5), some_images(5) * 255),
    ):
        # Compared as graphs: TensorFlow fuses other kernels there, which round elsewhere.
        outputs, expected = loaded(inputs), tf.cast(tf.function(part)(pixels), "float32")
        assert outputs.dtype == tf.float32
        np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-6)


def test_regularization_losses_are_those_of_the_model(tmp_path):
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, kernel_regularizer=keras.regularizers.L2(0.1))(inputs)
    frozen = keras.layers.Dense(2, kernel_regularizer="l2", trainable=False)
    x = frozen(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, keras.layers.Dense(2, bias_regularizer="l1")(x))
    model.layers[-1].bias.assign([1.0, -2.0])
    loaded = tf.saved_model.load(str(export_saved_model(model, tmp_path / "toy")))
    losses = [float(loss()) for loss in loaded.regularization_losses]
    assert len(losses) == 2 and min(losses) > 0
    np.testing.assert_allclose(losses, model.losses, rtol=1e-6)


def test_batch_normalization_statistics_move_in_training(tmp_path):
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.BatchNormalization(), keras.layers.Flatten()]
    )
    loaded = tf.saved_model.load(str(export_saved_model(model, tmp_path / "toy")))
    statistics = [v for v in loaded.variables if "moving" in v.name]
    before = [v.numpy() for v in statistics]
    loaded(some_images(4))
    np.testing.assert_array_equal([v.numpy() for v in statistics], before)
    loaded(some_images(4), training=True)
    assert len(statistics) == 2
    assert np.all(np.not_equal([v.numpy() for v in statistics], before))


def test_the_architecture_can_be_rebuilt_from_the_description(exported):
    model, path = exported
    info = saved_model_info(path)
    rebuilt = ARCHITECTURES[info["class_name"]].from_config(info["config"])
    assert [w.path for w in rebuilt.weights] == [w.path for w in model.weights]
    assert rebuilt.dropout_rate == model.dropout_rate
    assert info["image_shape"] == [8, 8, 3]
    assert info["output"] == "logits"
    assert [kind["range"] for kind in info["inputs"]] == [[0, 1], [0, 255]]
    assert info["versions"]["keras"] == keras.__version__
    written = {f.relative_to(path).as_posix() for f in path.rglob("*") if f.is_file()}
    assert set(info["sha256"]) == written - {"keras_mlp.json"}
    assert {"saved_model.pb", "variables/variables.index"} <= set(info["sha256"])


def test_a_new_process_needs_tensorflow_only(exported, tmp_path):
    model, path = exported
    np.savez(tmp_path / "in.npz", pixels=some_pixels(5), images=some_images(5))
    code = (
        "import sys, numpy as np, tensorflow as tf\n"
        "path, folder = sys.argv[1:]\n"
        "loaded, inputs = tf.saved_model.load(path), np.load(f'{folder}/in.npz')\n"
        "np.savez(f'{folder}/out.npz', **{name: loaded(inputs[name]) for name in inputs})\n"
        "assert 'keras_mlp' not in sys.modules\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [sys.executable, "-c", code, str(path), str(tmp_path)]
    subprocess.run(command, env=environment, cwd=tmp_path, check=True)
    outputs = np.load(tmp_path / "out.npz")
    np.testing.assert_allclose(outputs["pixels"], model(some_pixels(5)), rtol=0, atol=1e-6)
    np.testing.assert_allclose(outputs["images"], model(some_images(5) * 255), rtol=0, atol=1e-6)


def test_keras_own_layer_infers_and_trains_in_its_modes(exported):
    model, path = exported
    layer = keras.layers.TFSMLayer(str(path), call_endpoint="serve", call_training_endpoint="train")
    for inputs, pixels in (
        (some_pixels(3), some_pixels(3)),
        (some_images(3), some_images(3) * 255),
    ):
        np.testing.assert_allclose(layer(inputs), model(pixels), rtol=0, atol=1e-6)
        assert np.abs(layer(inputs, training=True) - model(pixels)).max() > 1e-3
    assert len(layer.trainable_weights) >= len(model.trainable_weights)


def contents(folder):
    return {f.name: f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def test_overwrite_replaces_the_old_one(tmp_path):
    path = export_saved_model(functional(keras.Input((8, 8, 3))), tmp_path / "toy")
    model = functional(keras.Input((8, 8, 3)))
    with pytest.raises(FileExistsError, match=r"toy already; `overwrite` is False"):
        export_saved_model(model, path)
    assert export_saved_model(model, path, overwrite=True) == path
    outputs = tf.saved_model.load(str(path))(some_images(2))
    np.testing.assert_allclose(outputs, model(some_images(2)), rtol=0, atol=1e-6)
    assert os.listdir(tmp_path) == ["toy"]


def test_overwrite_replaces_nothing_but_a_saved_model(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    for path in (tmp_path, tmp_path / "thesis.tex"):
        with pytest.raises(FileExistsError, match="is not a SavedModel: `overwrite` replaces noth"):
            export_saved_model(toy(), path, overwrite=True)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@contextlib.contextmanager
def failing(monkeypatch, owner, name, when=lambda *args: True):
    """Makes a function fail after its work, as a full disk or a killed process would."""
    original = getattr(owner, name)

    def fail(*args, **kwargs):
        if not when(*args):
            return original(*args, **kwargs)
        if name != "rename":
            original(*args, **kwargs)
        raise OSError("no space left")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="no space left"):
        patch.setattr(owner, name, fail)
        yield


# Owners are looked up in the test: Keras' own export puts another `tf.saved_model` in place.
FAILURES = [
    (lambda: tf.saved_model, "save", lambda *args: True),
    (lambda: export, "sha256_of", lambda *args: True),
    (lambda: json, "dumps", lambda *args: True),
    (lambda: pathlib.Path, "rename", lambda source, *args: source.suffix == ".partial"),
]


@pytest.mark.parametrize(("owner", "name", "when"), FAILURES, ids=[f[1] for f in FAILURES])
def test_a_failure_in_the_middle_leaves_nothing_and_keeps_the_old(
    monkeypatch, tmp_path, owner, name, when
):
    model, other = functional(keras.Input(**IMAGE)), functional(keras.Input(**IMAGE))
    with failing(monkeypatch, owner(), name, when):
        export_saved_model(model, tmp_path / "toy")
    assert os.listdir(tmp_path) == []
    path = export_saved_model(model, tmp_path / "toy")
    old = contents(path)
    with failing(monkeypatch, owner(), name, when):
        export_saved_model(other, path, overwrite=True)
    assert os.listdir(tmp_path) == ["toy"]
    assert contents(path) == old


def test_a_folder_that_cannot_be_written_is_one_clear_error(monkeypatch, tmp_path):
    missing = tmp_path / "missing"
    with pytest.raises(FileNotFoundError, match=f"^Cannot write in {missing}: No such file.*$"):
        export_saved_model(toy(), missing / "toy")

    def refuse(*args, **kwargs):  # permissions do not stop the super-user, so they are played
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pathlib.Path, "mkdir", refuse)
    with pytest.raises(PermissionError, match=f"^Cannot write in {tmp_path}: Permission denied.$"):
        export_saved_model(toy(), tmp_path / "toy")
    assert os.listdir(tmp_path) == []


REFUSED = {
    "not a model": (lambda: "toy", "must be a built functional Keras model, got 'toy'"),
    "not built": (lambda: keras.Sequential([keras.layers.Flatten()]), "must be a built functional"),
    "two inputs": (
        lambda: functional(keras.Input(**IMAGE), keras.Input(**IMAGE)),
        "must have one tensor as input",
    ),
    "two outputs": (
        lambda: functional(keras.Input(**IMAGE), outputs=2),
        "must have one tensor as output",
    ),
    "not images": (lambda: functional(keras.Input((4,))), r"free batch size B, takes \(None, 4\)"),
    "fixed batch": (
        lambda: functional(keras.Input(**IMAGE, batch_size=2)),
        r"takes \(2, 4, 4, 3\)",
    ),
    "integers": (
        lambda: functional(keras.Input(**IMAGE, dtype="int32")),
        "must take floats or uint8, takes int32",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses_what_it_cannot_export(case, tmp_path):
    make, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        export_saved_model(make(), tmp_path / "toy")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "make",
    [lambda: toy(include_top=False, pooling=None), lambda: functional(keras.Input(**IMAGE))],
)
def test_refuses_features_that_a_model_does_not_have(make, tmp_path):
    with pytest.raises(ValueError, match="`output`='features' needs a VisionModel with pooled fea"):
        export_saved_model(make(), tmp_path / "toy", output="features")


def test_refuses_an_unknown_output(tmp_path):
    with pytest.raises(ValueError, match="`output` is 'feature'"):
        export_saved_model(toy(), tmp_path / "toy", output="feature")


def test_refuses_another_backend(monkeypatch, tmp_path):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RuntimeError, match="need the TensorFlow backend and Keras runs on 'jax'"):
        export_saved_model(toy(), tmp_path / "toy")


def test_importing_the_package_does_not_import_tensorflow():
    pytest.importorskip("jax")
    code = "import sys, keras_mlp; assert 'tensorflow' not in sys.modules"
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "was not written by keras_mlp: it has no keras_mlp.json"),
        ('{"format_version": 1, "sha', "keras_mlp.json is damaged: JSONDecodeError"),
        ('{"format_version": 1}', "keras_mlp.json is damaged: KeyError"),
        ('{"format_version": 1, "sha256": []}', "keras_mlp.json is damaged: AttributeError"),
        ("[]", "keras_mlp.json is damaged: TypeError"),
        ('{"format_version": 2, "sha256": {}}', "has format 2; this keras_mlp reads 1"),
    ],
)
def test_a_description_that_cannot_be_read_is_one_clear_error(text, message, tmp_path):
    if text is not None:
        (tmp_path / "keras_mlp.json").write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        saved_model_info(tmp_path)
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)
