"""One set of weights as SavedModels for several image sizes, whole or not at all."""

import os

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_mlp
from keras_mlp import (
    VisionPermutator,
    export_at_sizes,
    export_saved_model,
    saved_model_info,
    with_image_shape,
)
from tests.contract import predict, some_pixels, with_random_weights
from tests.export.toys import toy
from tests.test_contract import factory

SHAPES = [(8, 8, 3), (12, 16, 3)]


def test_every_size_has_its_saved_model(tmp_path):
    model = toy()
    path = export_at_sizes(model, tmp_path / "sizes", SHAPES, features=["block_0"])
    assert path == tmp_path / "sizes"
    assert sorted(os.listdir(path)) == ["12x16", "8x8"]
    for shape in SHAPES:
        folder = path / f"{shape[0]}x{shape[1]}"
        pixels = np.random.default_rng(0).integers(0, 256, (2, *shape)).astype("uint8")
        loaded = tf.saved_model.load(str(folder))
        expected = with_image_shape(model, shape)(pixels)
        np.testing.assert_allclose(loaded(pixels), expected, rtol=0, atol=1e-6)
        assert loaded.features(pixels)["block_0"].shape == (2, shape[0] // 4, shape[1] // 4, 8)
        assert saved_model_info(folder)["image_shape"] == list(shape)


def test_overwrite_replaces_a_folder_of_saved_models_only(tmp_path):
    model = toy()
    path = export_at_sizes(model, tmp_path / "sizes", SHAPES)
    with pytest.raises(FileExistsError, match=r"sizes already; `overwrite` is False"):
        export_at_sizes(model, path, SHAPES[:1])
    export_at_sizes(model, path, SHAPES[:1], overwrite=True)
    assert os.listdir(path) == ["8x8"] and os.listdir(tmp_path) == ["sizes"]
    (path / "thesis.tex").write_text("years of work")
    with pytest.raises(FileExistsError, match="holds something other than SavedModels"):
        export_at_sizes(model, path, SHAPES, overwrite=True)
    assert sorted(os.listdir(path)) == ["8x8", "thesis.tex"]


@pytest.mark.parametrize(
    ("shapes", "options", "message"),
    [
        ([], {}, "`image_shapes` must be a list of .*, got \\[\\]"),
        ("8x8", {}, "`image_shapes` must be a list of"),
        ([(8, 8, 3), (8, 8, 3)], {}, "`image_shapes` must differ, got 8x8 more than once"),
        ([(8, 8, 3), (9, 8, 3)], {}, "is not divisible by `patch_size`"),
        ([(8, 8, 1)], {}, "the number of channels cannot be changed"),
        ([(8, 8, 3)], {"resize": "fast"}, "`resize` is 'fast'"),
    ],
)
def test_what_cannot_be_leaves_nothing_behind(tmp_path, shapes, options, message):
    with pytest.raises(ValueError, match=message):
        export_at_sizes(toy(), tmp_path / "sizes", shapes, **options)
    assert os.listdir(tmp_path) == []


def test_a_size_that_a_family_cannot_have_says_why(tmp_path):
    model = VisionPermutator(
        image_shape=(8, 8, 3),
        patch_size=2,
        num_layers=(1, 1),
        hidden_dim=(8, 8),
        downsample=(True,),
    )
    with pytest.raises(ValueError, match="both sides must be multiples of 2"):
        export_at_sizes(model, tmp_path / "sizes", [(8, 8, 3), (10, 8, 3)])
    assert os.listdir(tmp_path) == []


def test_a_failure_in_the_second_leaves_nothing(monkeypatch, tmp_path):
    calls = []

    def fail_second(*args, **kwargs):
        calls.append(args)
        if len(calls) == 2:
            raise OSError("no space left")
        return export_saved_model(*args, **kwargs)

    monkeypatch.setattr("keras_mlp.export.sizes.export_saved_model", fail_second)
    with pytest.raises(OSError, match="no space left"):
        export_at_sizes(toy(), tmp_path / "sizes", SHAPES)
    assert len(calls) == 2 and os.listdir(tmp_path) == []


@pytest.fixture(scope="module")
def flexible(tmp_path_factory):
    """A model, and its SavedModel for three sizes."""
    model = with_random_weights(factory("FFOnly")(name="toy", num_layers=1))
    folder = tmp_path_factory.mktemp("flexible") / "saved"
    shapes = [model.image_shape, (24, 32, 3), (8, 16, 3)]
    export_saved_model(model, folder, image_shapes=shapes, features=["block_0"])
    return model, folder, shapes


def test_one_saved_model_serves_every_listed_size_with_one_set_of_variables(flexible):
    model, folder, shapes = flexible
    loaded = tf.saved_model.load(str(folder))
    assert len(loaded.variables) == len(model.weights)
    assert saved_model_info(folder)["image_shapes"] == [list(shape) for shape in shapes[1:]]
    names = {"serving_default", "serving_uint8", "serving_features"}
    sized = {f"{name}_{size}" for name in names for size in ("24x32", "8x16")}
    assert set(loaded.signatures) == {*names, *sized, "serving_bytes"}
    for shape in shapes:
        view = model.at(shape)
        pixels = some_pixels(view)
        expected = predict(view, pixels)
        np.testing.assert_allclose(loaded(pixels), expected, rtol=0, atol=1e-6)
        end = "" if shape == model.image_shape else f"_{shape[0]}x{shape[1]}"
        answer = loaded.signatures[f"serving_uint8{end}"](pixels=pixels)["logits"]
        np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-6)
        unit = (pixels / 255).astype("float32")
        answer = loaded.signatures[f"serving_default{end}"](images=unit)["logits"]
        np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-5)
        taps = model.at(shape).features(["block_0"])(pixels)["block_0"]
        np.testing.assert_allclose(loaded.features(pixels)["block_0"], taps, rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="Could not find matching concrete function"):
        loaded(np.zeros((1, 12, 12, 3), "uint8"))


def test_it_fine_tunes_at_every_size_as_a_layer(flexible):
    model, folder, shapes = flexible
    layer = keras_mlp.SavedModelLayer(folder)
    assert len(layer.trainable_weights) == len(model.trainable_weights)
    for shape in shapes:
        images, labels = some_pixels(model.at(shape), batch=4), np.arange(4) % 5
        tuned = keras.Sequential([keras.Input(shape, dtype="uint8"), layer])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        tuned.compile(keras.optimizers.SGD(0.1), loss, jit_compile=False)
        # One step per epoch, after its loss.
        history = tuned.fit(images, labels, batch_size=4, epochs=4, verbose=0).history
        assert history["loss"][-1] < history["loss"][0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_shapes": "32"}, "`image_shapes` must be a list of"),
        ({"image_shapes": [(8, 8, 1)]}, "another number of channels"),
        ({"image_shapes": [(9, 8, 3)]}, "The nearest: 8 x 8 and 12 x 8"),
        ({"image_shapes": [(12, 8, 3)] * 2}, "must differ, got \\(12, 8, 3\\) more than once"),
        ({"image_shapes": [(12, 8, 3)], "resize": "bilinear"}, "leave one of them out"),
    ],
)
def test_further_sizes_that_cannot_be_leave_nothing_behind(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        export_saved_model(toy(), tmp_path / "saved", **options)
    assert os.listdir(tmp_path) == []
