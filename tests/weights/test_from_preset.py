"""from_preset: a name or a file becomes a model with the published outputs."""

import dataclasses
import functools
import hashlib

import keras
import numpy as np
import pytest
import safetensors.numpy

from keras_mlp import (
    ARCHITECTURES,
    MLPMixer,
    ResMLP,
    VisionModel,
    VisionPermutator,
    ViT,
    load_checkpoint,
    save_checkpoint,
)
from keras_mlp.weights import Preset, catalogue, with_image_shape
from tests.contract import one_block, predict, some_pixels, with_random_weights
from tests.weights.file_server import serving
from tests.weights.torch_writer import write_training_state
from tests.weights.toy_checkpoint import checkpoint_of, write

NAME = "mixer_pico_8.toy"


@pytest.fixture(scope="module", autouse=True)
def shallow_variants():
    """The smallest variants have one block per stage: files of more blocks are read alike."""
    with pytest.MonkeyPatch.context() as patch:
        for architecture in ARCHITECTURES.values():
            sizes = architecture.variants["pico/2"]
            shallow = {**sizes, "num_layers": one_block(sizes["num_layers"])}
            patch.setitem(architecture.variants, "pico/2", shallow)
        yield


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A Mixer with arguments that differ from the defaults, and its published file.

    Tests must not change them.
    """
    keras.utils.set_random_seed(0)
    model = with_random_weights(
        MLPMixer.from_variant(
            "pico/2", num_classes=7, pixel_mean=0.25, pixel_std=0.75, gelu_approximate=True
        )
    )
    tensors = checkpoint_of(model, "timm", numbers=model.get_weights())
    return model, write(tensors, tmp_path_factory.mktemp("published") / "published.safetensors")


@pytest.fixture
def server(published, monkeypatch):
    """Serves the file and adds its row to the catalogue."""
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


def test_the_classes_of_a_published_classifier_have_their_names(server, tmp_path, monkeypatch):
    from keras_mlp.weights import preset_models

    words = {7: tuple("abcdefg")}  # of as many classes as the toy has
    monkeypatch.setattr(preset_models, "names_of", words.get)
    cache = {"cache_dir": tmp_path / "cache", "verbose": False}
    assert MLPMixer.from_preset(NAME, **cache).class_names == tuple("abcdefg")
    larger = MLPMixer.from_preset(NAME, **cache, image_shape=(8, 16, 3))
    assert larger.class_names == tuple("abcdefg")
    assert MLPMixer.from_preset(NAME, **cache, num_classes=3).class_names is None
    assert MLPMixer.from_preset(NAME, **cache, include_top=False).class_names is None


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
    assert not np.asarray(model.get_layer("head").kernel).any()  # as in a new Mixer
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


# Sizes to which the weights of each architecture cannot be resized, and words of the error.
REFUSED_SHAPES = (
    ("VisionPermutator", (9, 8, 3), "not divisible by `patch_size`"),
    ("RepMLPNet", (10, 10, 3), "2 stages cannot halve 1 times"),
    ("MLPMixer", (9, 8, 3), "not divisible by `patch_size`"),
)


@pytest.mark.parametrize(("architecture", "image_shape", "message"), REFUSED_SHAPES, ids=str)
def test_an_image_shape_is_refused_before_a_download(
    architecture, image_shape, message, server, tmp_path, monkeypatch
):
    gelu = True if architecture == "MLPMixer" else None
    in_catalogue(monkeypatch, architecture=architecture, gelu_approximate=gelu)
    with pytest.raises(ValueError) as error:
        ARCHITECTURES[architecture].from_preset(
            NAME, cache_dir=tmp_path / "cache", image_shape=image_shape
        )
    assert message in str(error.value)
    assert server.ranges == [] and not (tmp_path / "cache").exists()


def test_arguments_are_checked_before_a_download(server, tmp_path):
    with pytest.raises(ValueError, match="`num_classes` must be a positive integer"):
        MLPMixer.from_preset(NAME, cache_dir=tmp_path / "cache", num_classes=0)
    assert server.ranges == []


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


# One file for each way in which tensors reveal the number of tokens.
ARCHITECTURES_AND_LAYOUTS = (
    ("MLPMixer", "google"),
    ("MLPMixer", "timm"),
    ("ResMLP", "deit"),
    ("GMLP", "timm"),
    ("FFOnly", "official"),
    ("RepMLPNet", "official"),
    ("ViT", "google"),
    ("ViT", "timm"),
    ("ViT", "big_vision"),
)


def without_metadata(path):
    """Rewrites a file as other tools would: with the tensors only."""
    safetensors.numpy.save_file(safetensors.numpy.load_file(path), path)


def toy_file(architecture, layout, path, variant="pico/2", **arguments):
    """A model with random weights, and its file; big_vision's class token has no position."""
    model = with_random_weights(ARCHITECTURES[architecture].from_variant(variant, **arguments))
    if layout == "big_vision":
        positions = model.get_layer("position_embedding").embeddings
        positions.assign(np.asarray(positions) * (np.arange(positions.shape[1]) > 0)[:, None])
    save_checkpoint(model, path, layout)
    return model


def assert_resized(found, model, image_shape):
    expected = with_image_shape(model, image_shape)
    assert type(found) is type(model) and found.image_shape == image_shape
    for weight, other in zip(found.weights, expected.weights, strict=True):
        np.testing.assert_array_equal(weight, other, err_msg=weight.path)


@pytest.mark.parametrize(("architecture", "layout"), ARCHITECTURES_AND_LAYOUTS, ids=str)
def test_resizes_a_file_from_the_square_that_its_tensors_show(architecture, layout, tmp_path):
    path = tmp_path / "w.safetensors"
    model = toy_file(architecture, layout, path, image_shape=(16, 16, 3))  # not the variant's 8 x 8
    without_metadata(path)
    found = type(model).from_preset(path, variant="pico/2", image_shape=[12, 20, 3])
    assert_resized(found, model, (12, 20, 3))


@pytest.mark.parametrize("side", [8, 16])
def test_a_file_for_the_images_that_are_named_is_loaded_as_it_is(side, tmp_path):
    path = tmp_path / "w.npz"
    model = toy_file("MLPMixer", "google", path, image_shape=(side, side, 3))
    found = MLPMixer.from_preset(path, variant="pico/2", image_shape=(side, side, 3))
    assert_resized(found, model, (side, side, 3))


def test_resizes_a_deployed_file(tmp_path):
    path = tmp_path / "w.safetensors"
    model = toy_file("RepMLPNet", "official", path, deployed=True)
    without_metadata(path)
    arguments = {"variant": "pico/2", "deployed": True, "image_shape": (16, 12, 3)}
    assert_resized(type(model).from_preset(path, **arguments), model, (16, 12, 3))


def test_a_partition_does_not_show_the_image(tmp_path):
    path, arguments = tmp_path / "w.npz", {"partition_size": (2, 2), "official_reassembly": False}
    model = toy_file("RepMLPNet", "official", path, image_shape=(16, 24, 3), **arguments)
    found = type(model).from_preset(path, variant="pico/2", image_shape=(16, 24, 3), **arguments)
    assert_resized(found, model, (16, 24, 3))


def test_our_own_file_says_for_which_images_it_is(tmp_path):
    # As many tokens as a square of 12 x 12 pixels has.
    path = tmp_path / "w.safetensors"
    model = toy_file("ViT", "timm", path, image_shape=(8, 18, 3))
    for shape in ((8, 18, 3), (12, 12, 3)):
        found = ViT.from_preset(path, variant="pico/2", image_shape=shape)
        assert_resized(found, model, shape)


@pytest.mark.parametrize(("architecture", "layout"), ARCHITECTURES_AND_LAYOUTS, ids=str)
def test_a_file_that_may_be_for_two_shapes_is_taken_for_the_one_that_is_named(
    architecture, layout, tmp_path
):
    # As many tokens as a square has: nothing in the file says which it is for.
    path, wide, square = tmp_path / "w.npz", (8, 32, 3), (16, 16, 3)
    model = toy_file(architecture, layout, path, image_shape=wide)
    build = functools.partial(type(model).from_preset, path, variant="pico/2")
    with pytest.raises(ValueError, match=r"(?s)as it is, and may also be .* `file_image_shape`"):
        build(image_shape=wide)
    assert_resized(build(image_shape=wide, file_image_shape=wide), model, wide)
    assert_resized(build(file_image_shape=wide), model, wide)
    found = build(image_shape=wide, file_image_shape=square)
    as_square = type(model).from_variant("pico/2", image_shape=square)
    load_checkpoint(as_square, path)
    assert_resized(found, as_square, wide)
    assert_resized(build(image_shape=square), as_square, square)  # fits, and is a square


def test_a_file_for_no_square_is_taken_for_the_images_that_are_named(tmp_path):
    path = tmp_path / "w.npz"
    model = toy_file("MLPMixer", "google", path, image_shape=(8, 12, 3))
    build = functools.partial(MLPMixer.from_preset, path, variant="pico/2")
    assert_resized(build(image_shape=(8, 12, 3)), model, (8, 12, 3))
    with pytest.raises(ValueError, match=r"does not fit .* form no square.*`file_image_shape`"):
        build(image_shape=(8, 8, 3))
    found = build(image_shape=(8, 8, 3), file_image_shape=(8, 12, 3))
    assert_resized(found, model, (8, 8, 3))


def test_sizes_and_the_images_of_the_file_make_a_variant_unnecessary(tmp_path):
    path = tmp_path / "w.npz"
    model = toy_file("MLPMixer", "google", path, image_shape=(8, 12, 3))
    sizes = {**MLPMixer.variants["pico/2"], "image_shape": (8, 8, 3)}
    found = MLPMixer.from_preset(path, **sizes, file_image_shape=(8, 12, 3))
    assert_resized(found, model, (8, 8, 3))


def test_a_permutators_file_is_for_the_images_of_its_variant(tmp_path):
    path = tmp_path / "w.npz"
    model = toy_file("VisionPermutator", "official", path)
    found = VisionPermutator.from_preset(path, variant="pico/2", image_shape=(8, 8, 3))
    assert_resized(found, model, (8, 8, 3))
    found = VisionPermutator.from_preset(path, variant="pico/2", image_shape=(16, 16, 3))
    assert_resized(found, model, (16, 16, 3))
    size = {"variant": "pico/2", "image_shape": (10, 14, 3), "file_image_shape": (8, 8, 3)}
    assert_resized(VisionPermutator.from_preset(path, **size), model, (10, 14, 3))


@pytest.mark.parametrize(
    "arguments", [{}, {"arguments": "{"}, {"arguments": "[]"}, {"arguments": '{"image_shape": 8}'}]
)
def test_refuses_a_file_that_does_not_say_for_which_images_it_is(arguments, published, tmp_path):
    path, tensors = tmp_path / "w.safetensors", safetensors.numpy.load_file(published[1])
    safetensors.numpy.save_file(tensors, path, {"keras_mlp": "0.1.0", **arguments})
    with pytest.raises(ValueError, match="does not state its image shape"):
        MLPMixer.from_preset(path, variant="pico/2", image_shape=(16, 8, 3))


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
        ("MLPMixer", NAME, {"variant": "B/16"}, f"`variant`='B/16': {NAME} is pico/2"),
        ("MLPMixer", NAME, {"file_image_shape": (8, 8, 3)}, "is for a file given by its path"),
        ("MLPMixer", "w.npz", {"file_image_shape": (8, 8)}, "`file_image_shape` must be (height"),
        ("MLPMixer", NAME, {"image_shape": (8, 8)}, "`image_shape` must be (height, width"),
        ("MLPMixer", "mixer_b16", {}, "Did you mean 'mixer_b16_224.goog_in21k_ft_in1k' or"),
        ("ResMLP", "resmlp", {}, "`keras_mlp.presets()` lists all"),
        ("MLPMixer", "nothing_like_it", {}, "lists. `keras_mlp.presets()` lists all"),
        (
            "MLPMixer",
            "hf://timm/mixer_b16_224.goog_in21k",
            {"variant": "B/16"},
            "`variant` is not for an address",
        ),
        (
            None,
            "https://timm/mixer_b16_224.goog_in21k",
            {},
            "is an address, and models are built from a name of the catalogue or from a file here. "
            "Did you mean 'mixer_b16_224.goog_in21k",
        ),
        (None, "https://example.org/w.npz", {}, "is an address"),
        ("MLPMixer", "timm/mixer_b16_224.miil_in21k", {}, "Did you mean 'mixer_b16_224.miil_in21k"),
        ("MLPMixer", "", {}, "`preset`='' is not the name"),
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


def test_averaged_weights_are_taken_and_said(published, tmp_path, capsys):
    model, _ = published
    averaged = checkpoint_of(model, "timm", numbers=model.get_weights())
    plain = {name: 0.5 * tensor for name, tensor in averaged.items()}
    path = write_training_state({"model": plain, "model_ema": averaged}, tmp_path / "w.pth")

    def head_bias(**arguments):
        found = MLPMixer.from_preset(path, variant="pico/2", num_classes=7, **arguments)
        return np.asarray(found.get_layer("head").bias)

    np.testing.assert_array_equal(head_bias(), averaged["head.bias"])
    assert "the averaged ones were taken" in capsys.readouterr().err
    np.testing.assert_array_equal(head_bias(verbose=False), averaged["head.bias"])
    np.testing.assert_array_equal(head_bias(ema=False), plain["head.bias"])
    np.testing.assert_array_equal(head_bias(ema=False, image_shape=(16, 16, 3)), plain["head.bias"])
    assert capsys.readouterr().err == ""
