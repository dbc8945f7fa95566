"""LiteRT files, run by the interpreter inside TensorFlow and by the runtime on its own."""

import gc
import zipfile
from unittest import mock

import keras
import numpy as np
import pytest

from keras_mlp import ARCHITECTURES
from keras_mlp.formats import export_litert, litert
from tests.contract import predict, shallow, some_pixels, with_random_weights
from tests.formats import runtimes
from tests.test_contract import factory

LIBRARIES = ("tensorflow", pytest.param("ai_edge_litert", marks=pytest.mark.formats))


@pytest.fixture(autouse=True, scope="module")
def garbage_stays():
    """The converter collects garbage after each model, which takes longer than the conversion."""
    with mock.patch.object(gc, "collect"):
        yield


def toy(architecture="MLPMixer", **overrides):
    """A model with one block per stage: more blocks are the same operations again."""
    return with_random_weights(shallow(factory(architecture))(**overrides))


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_float32_computes_what_the_model_computes(architecture, library, tmp_path):
    model = toy(architecture)
    path = export_litert(model, tmp_path / "toy.tflite")
    pixels = some_pixels(model, batch=3)
    expected = predict(model, pixels)
    runtimes.assert_same(runtimes.litert(path, pixels, library), expected)
    assert [file.name for file in tmp_path.iterdir()] == ["toy.tflite"]
    assert_takes_one_image_then_other_batches(path, pixels, expected, library)


def assert_takes_one_image_then_other_batches(path, pixels, expected, library):
    interpreter = runtimes.litert_interpreter(path, library)
    (given,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert given["shape"][0] == 1
    for batch in (1, 3, 2):
        if batch > 1:
            interpreter.resize_tensor_input(given["index"], pixels[:batch].shape, strict=True)
        interpreter.allocate_tensors()
        interpreter.set_tensor(given["index"], pixels[:batch])
        interpreter.invoke()
        runtimes.assert_same(interpreter.get_tensor(output["index"]), expected[:batch])


@pytest.mark.parametrize("library", LIBRARIES)
def test_names_of_classes_are_in_the_file_as_an_archive(library, tmp_path):
    model = toy(num_classes=3)
    plain = export_litert(model, tmp_path / "plain.tflite").read_bytes()
    assert not zipfile.is_zipfile(tmp_path / "plain.tflite")
    model.class_names = ["ant", "große Katze", "c"]
    path = export_litert(model, tmp_path / "toy.tflite")
    assert len(plain) < path.stat().st_size < len(plain) + 500
    with zipfile.ZipFile(path) as archive:
        assert archive.read("labels.txt").decode() == "ant\ngroße Katze\nc\n"
    pixels = some_pixels(model, batch=3)
    runtimes.assert_same(runtimes.litert(path, pixels, library), predict(model, pixels))


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("architecture", "num_layers"),
    [
        ("MLPMixer", 1),
        pytest.param("RepMLPNet", (1,), marks=pytest.mark.sweep),
        pytest.param("ViT", 2, marks=pytest.mark.sweep),
    ],
)
def test_int8_is_a_third_of_the_size_and_near(architecture, num_layers, library, tmp_path):
    # Large enough for quantization: LiteRT leaves kernels below 1,024 numbers as they are.
    model = ARCHITECTURES[architecture].from_variant("pico/4", num_layers=num_layers)
    model = with_random_weights(model)
    exact = export_litert(model, tmp_path / "exact.tflite")
    small = export_litert(model, tmp_path / "small.tflite", quantize="dynamic_int8")
    assert small.stat().st_size < 0.45 * exact.stat().st_size
    pixels = some_pixels(model, batch=8)
    expected = predict(model, pixels)
    runtimes.assert_same(runtimes.litert(exact, pixels, library), expected)
    error = runtimes.litert(small, pixels, library) - expected
    assert 1e-4 < error.std() / expected.std() < 0.15


def test_the_signature_says_what_goes_in_and_out(tmp_path):
    path = export_litert(toy(), tmp_path / "toy.tflite", batch_size=4)
    runner = runtimes.litert_interpreter(path).get_signature_runner("serving_default")
    (pixels,), (logits,) = runner.get_input_details().items(), runner.get_output_details().items()
    assert (pixels[0], pixels[1]["dtype"]) == ("pixels", np.uint8)
    assert pixels[1]["shape"].tolist() == [4, 16, 24, 3]
    assert (logits[0], logits[1]["dtype"]) == ("logits", np.float32)
    assert logits[1]["shape"].tolist() == [4, 5]


def test_a_model_of_normalised_images_takes_floats(tmp_path):
    model = toy(include_preprocessing=False)
    path = export_litert(model, tmp_path / "toy.tflite")
    images = np.random.default_rng(0).normal(size=(2, 16, 24, 3)).astype("float32")
    runtimes.assert_same(runtimes.litert(path, images), predict(model, images))


def test_features_are_called_default(tmp_path):
    model = toy(include_top=False)
    path = export_litert(model, tmp_path / "toy.tflite")
    runner = runtimes.litert_interpreter(path).get_signature_runner()
    assert list(runner.get_output_details()) == ["default"]
    pixels = some_pixels(model)
    runtimes.assert_same(runtimes.litert(path, pixels), predict(model, pixels))


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_other_keras_models_are_exported_too(dtype, tmp_path):
    layers = [keras.Input((4, 4, 1), dtype=dtype), keras.layers.Rescaling(0.1)]
    model = keras.Sequential([*layers, keras.layers.Flatten(), keras.layers.Dense(3)])
    path = export_litert(model, tmp_path / "other.tflite")
    images = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 1)).astype(dtype)
    runtimes.assert_same(runtimes.litert(path, images), predict(model, images))


def test_repmlpnet_is_deployed_unless_told_otherwise(tmp_path):
    model = toy("RepMLPNet", num_layers=(1,), hidden_dim=(8,), num_sharesets=(2,))
    pixels = some_pixels(model)
    tensors = {}
    for deployed in (True, False):
        path = export_litert(model, tmp_path / f"{deployed}.tflite", deployed=deployed)
        runtimes.assert_same(runtimes.litert(path, pixels), predict(model, pixels))
        tensors[deployed] = len(runtimes.litert_interpreter(path).get_tensor_details())
    assert tensors[True] < tensors[False]
    assert not model.deployed


def test_a_file_without_weights_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(litert, "_converted", lambda *_: b"no weights")
    with pytest.raises(RuntimeError, match=r"has 10 bytes, less than half of its 2,649 weights"):
        export_litert(toy(), tmp_path / "toy.tflite")
    assert not list(tmp_path.iterdir())


def test_overwriting_must_be_asked_for(tmp_path):
    path = tmp_path / "toy.tflite"
    path.write_text("old")
    with pytest.raises(FileExistsError, match=r"toy\.tflite already; `overwrite` is False"):
        export_litert(toy(), path)
    assert path.read_text() == "old"
    export_litert(toy(), path, overwrite=True)
    assert path.stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "`batch_size` must be a positive integer, got 0"),
        ({"quantize": "int8"}, ValueError, "Did you mean 'dynamic_int8'?"),
        ({"deployed": "no"}, ValueError, "`deployed` must be True or False"),
        ({"overwrite": 1}, ValueError, "`overwrite` must be True or False"),
        ({"path": "toy.lite"}, ValueError, r"`path` must end in \.tflite, got toy\.lite"),
        ({"path": "no/toy.tflite"}, FileNotFoundError, "there is no folder .*no"),
        ({"model": "toy.keras"}, ValueError, "`model` must be a built functional Keras model"),
    ],
)
def test_bad_arguments_end_before_any_work(arguments, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delattr(litert, "_converted")
    arguments = {"model": factory("MLPMixer")(), "path": "toy.tflite", **arguments}
    with pytest.raises(error, match=message):
        export_litert(arguments.pop("model"), arguments.pop("path"), **arguments)
    assert not list(tmp_path.iterdir())


def other(shape=(4, 4, 1), outputs=1, dtype="float32"):
    pixels = keras.Input(shape, dtype=dtype)
    x = [keras.layers.Flatten()(pixels) for _ in range(outputs)]
    return keras.Model(pixels, x[0] if outputs == 1 else x, name="other")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: factory("ViT")(dtype="mixed_bfloat16"), "computes in bfloat16, in its layer norm"),
        (lambda: other(outputs=2), "other must have one tensor as output"),
        (lambda: other(shape=(4,)), "other must take images"),
        (lambda: other(shape=(None, 4, 1)), "of one size"),
        (lambda: other(dtype="int32"), "other must take float32 or uint8, takes int32"),
    ],
)
def test_models_that_no_format_can_hold(make, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        export_litert(make(), tmp_path / "toy.tflite")


def test_a_quantized_model_is_refused(tmp_path):
    model = toy()
    model.quantize("int8")
    with pytest.raises(ValueError, match=r"is quantized, in its layer block_0/token_mlp/fc1"):
        export_litert(model, tmp_path / "toy.tflite")


def test_a_model_too_large_for_one_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("keras_mlp.formats.inference_graph._TWO_GB", 4 * toy().count_params())
    with pytest.raises(ValueError, match=r"has 0\.0 GB of weights; files of this format hold less"):
        export_litert(toy(), tmp_path / "toy.tflite")


def test_an_operation_that_the_format_lacks_is_named(tmp_path):
    images = keras.Input((4, 4, 1))
    model = keras.Model(images, keras.ops.erf(images), name="bare_erf")
    with pytest.raises(ValueError, match="`model` bare_erf cannot be converted to LiteRT"):
        export_litert(model, tmp_path / "toy.tflite")
    assert not list(tmp_path.iterdir())


DIFFERENT_IN_KIND = ("MLPMixer", "RepMLPNet", "ViT")
KERAS_EXPORTS = [
    name if name in DIFFERENT_IN_KIND else pytest.param(name, marks=pytest.mark.sweep)
    for name in ARCHITECTURES
]


@pytest.mark.parametrize("architecture", KERAS_EXPORTS)
def test_the_export_of_keras_computes_the_same(architecture, tmp_path):
    # Keras' own route, which remains when ours must leave `tf.lite`.
    model = toy(architecture)
    path = tmp_path / "keras.tflite"
    model.export(path, format="litert", verbose=False)
    runner = runtimes.litert_interpreter(path).get_signature_runner()
    ((name, details),) = runner.get_input_details().items()
    pixels = some_pixels(model, batch=1)
    (outputs,) = runner(**{name: pixels.astype(details["dtype"])}).values()
    runtimes.assert_same(outputs, predict(model, pixels))
