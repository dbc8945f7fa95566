"""from_preset: a name or a file becomes a model that computes what was published."""

import dataclasses
import hashlib

import numpy as np
import pytest

from keras_mlp import ARCHITECTURES, MLPMixer, ResMLP, VisionModel
from keras_mlp.weights import Preset, catalogue, with_image_shape
from tests.contract import predict, some_pixels, with_random_weights
from tests.weights.file_server import serving
from tests.weights.toy_checkpoint import checkpoint_of, write

NAME = "mixer_pico_8.toy"


@pytest.fixture
def published(tmp_path):
    """A Mixer with other than the default arguments, and the file that it was published as."""
    model = with_random_weights(
        MLPMixer.from_variant(
            "pico/2", num_classes=7, pixel_mean=0.25, pixel_std=0.75, gelu_approximate=True
        )
    )
    tensors = checkpoint_of(model, "timm", numbers=model.get_weights())
    return model, write(tensors, tmp_path / "published.safetensors")


@pytest.fixture
def server(published, monkeypatch):
    """Serves the file and puts its row into the catalogue."""
    content = published[1].read_bytes()
    with serving(w=content) as running:
        row = Preset(
            NAME,
            "MLPMixer",
            "pico/2",
            "timm",
            num_classes=7,
            image_size=8,
            pixel_mean=0.25,
            pixel_std=0.75,
            crop=None,
            interpolation=None,
            gelu_approximate=True,
            url=running.url("/w"),
            page="https://example.org/toy",
            suffix=".safetensors",
            sha256=hashlib.sha256(content).hexdigest()[:8],
            note="A toy.",
        )
        monkeypatch.setitem(catalogue._PRESETS, NAME, row)
        yield running


def in_catalogue(monkeypatch, **changes):
    row = dataclasses.replace(catalogue._PRESETS[NAME], **changes)
    monkeypatch.setitem(catalogue._PRESETS, NAME, row)


@pytest.mark.parametrize("architecture", [MLPMixer, VisionModel])
def test_computes_what_was_published(architecture, published, server, tmp_path):
    model = architecture.from_preset(NAME, cache_dir=tmp_path / "cache")
    assert type(model) is MLPMixer
    images = some_pixels(model)
    np.testing.assert_array_equal(predict(model, images), predict(published[0], images))
    assert [each.name for each in (tmp_path / "cache").iterdir()] == [f"{NAME}.safetensors"]


def test_downloads_once(server, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_MLP_CACHE", str(tmp_path / "cache"))
    for _ in range(2):
        MLPMixer.from_preset(NAME, verbose=False)
    assert len(server.ranges) == 1


def test_another_number_of_classes_takes_everything_but_the_head(
    published, server, tmp_path, capsys
):
    model = MLPMixer.from_preset(NAME, cache_dir=tmp_path / "cache", num_classes=3)
    assert model.output.shape == (None, 3)
    assert not np.asarray(model.get_layer("head").kernel).any()  # as a new Mixer starts
    for weight, other in zip(model.weights[:-2], published[0].weights[:-2], strict=True):
        np.testing.assert_array_equal(weight, other)
    message = capsys.readouterr().err
    assert "classifier of 7 classes was not loaded; the one of 3 is new." in message
    assert f"{NAME}: A toy." in message


def test_features_need_no_head(published, server, tmp_path, capsys):
    model = MLPMixer.from_preset(NAME, cache_dir=tmp_path / "cache", include_top=False)
    assert "classifier" not in capsys.readouterr().err
    np.testing.assert_array_equal(model.weights[-1], published[0].weights[-3])


def test_another_image_shape_resizes_the_published_weights(published, server, tmp_path):
    model = MLPMixer.from_preset(NAME, cache_dir=tmp_path / "cache", image_shape=(8, 16, 3))
    expected = with_image_shape(published[0], (8, 16, 3))
    assert model.image_shape == (8, 16, 3)
    images = some_pixels(model)
    np.testing.assert_array_equal(predict(model, images), predict(expected, images))
    assert len(server.ranges) == 1


def test_other_arguments_reach_the_constructor(server, tmp_path):
    model = MLPMixer.from_preset(
        NAME, cache_dir=tmp_path / "cache", drop_path_rate=0.1, name="mine", dtype="mixed_bfloat16"
    )
    assert model.drop_path_rate == 0.1 and model.name == "mine"
    assert model.pixel_mean == 0.25 and model.gelu_approximate


def test_is_quiet_when_told_so(server, tmp_path, capsys):
    MLPMixer.from_preset(NAME, cache_dir=tmp_path / "cache", num_classes=3, verbose=False)
    captured = capsys.readouterr()
    assert captured.err == captured.out == ""


def test_takes_the_presets_file_from_a_path(published, server):
    model = MLPMixer.from_preset(NAME, file=published[1])
    images = some_pixels(model)
    np.testing.assert_array_equal(predict(model, images), predict(published[0], images))
    assert server.ranges == []


def test_a_file_behind_a_page_is_asked_for(published, server, tmp_path, monkeypatch):
    in_catalogue(monkeypatch, url=None)
    cache = tmp_path / "cache"
    with pytest.raises(OSError) as error:
        MLPMixer.from_preset(NAME, cache_dir=cache)
    for part in ("https://example.org/toy", "`file`", str(cache / f"{NAME}.safetensors")):
        assert part in str(error.value)
    cache.mkdir()
    (cache / f"{NAME}.safetensors").write_bytes(published[1].read_bytes())
    MLPMixer.from_preset(NAME, cache_dir=cache)
    assert server.ranges == []


@pytest.mark.parametrize("classes", [7, 3])
def test_takes_a_file_by_its_path(classes, published, capsys):
    for path in (published[1], str(published[1])):
        model = MLPMixer.from_preset(path, variant="pico/2", num_classes=classes)
        np.testing.assert_array_equal(model.weights[0], published[0].weights[0])
        same = np.array_equal(model.get_layer("head").kernel, published[0].weights[-2])
        assert same == (classes == 7)
        assert ("was not loaded" in capsys.readouterr().err) == (classes != 7)


def test_takes_sizes_instead_of_a_variant(published):
    model = MLPMixer.from_preset(published[1], **MLPMixer.variants["pico/2"], num_classes=7)
    np.testing.assert_array_equal(model.weights[0], published[0].weights[0])


def test_refuses_a_file_of_another_architecture(published, server, tmp_path, monkeypatch):
    in_catalogue(monkeypatch, architecture="ResMLP", gelu_approximate=None)
    with pytest.raises(ValueError, match="does not fit"):
        ResMLP.from_preset(NAME, cache_dir=tmp_path / "cache")
    with pytest.raises(ValueError, match="does not fit"):
        ResMLP.from_preset(published[1], variant="pico/2")


@pytest.mark.parametrize(
    ("architecture", "preset", "arguments", "message"),
    [
        ("MLPMixer", "mixer_b16.goog_in21k", {}, "Did you mean 'mixer_b16_224.goog_in21k'?"),
        ("ResMLP", NAME, {}, "holds weights of MLPMixer, not of ResMLP"),
        ("MLPMixer", NAME, {"variant": "B/16"}, "says itself that it is pico/2"),
        ("MLPMixer", NAME, {"image_shape": (8, 8, 1)}, f"{NAME} takes images of 3 channels"),
        ("MLPMixer", NAME, {"image_shape": (8, 8)}, "`image_shape` must be (height, width"),
        ("MLPMixer", "weights.npz", {}, "`variant` or the sizes must be given for a file"),
        (None, "./weights.npz", {"variant": "B/16"}, "call `from_preset` of an architecture"),
    ],
    ids=str,
)
def test_refuses_bad_arguments(architecture, preset, arguments, message, server):
    owner = VisionModel if architecture is None else ARCHITECTURES[architecture]
    with pytest.raises(ValueError) as error:
        owner.from_preset(preset, **arguments)
    assert message in str(error.value)
    assert server.ranges == []
