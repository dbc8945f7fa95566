"""The catalogue: every row is complete, consistent and can be found."""

import inspect
import re

import pytest

from keras_mlp import ARCHITECTURES, VisionPermutator, ViT, presets
from keras_mlp.weights import catalogue
from keras_mlp.weights.tensor_files import SUFFIXES

ALL = presets()
NAMINGS = {name: set(model.checkpoint_layouts) for name, model in ARCHITECTURES.items()}


def by_name(row):
    return row.name


def test_no_name_is_used_twice():
    assert len(ALL) == sum(map(len, catalogue.TABLES))


def test_every_architecture_has_weights():
    assert {row.architecture for row in ALL} == set(ARCHITECTURES)


@pytest.mark.parametrize("row", ALL, ids=by_name)
def test_a_row_names_what_exists(row):
    model = ARCHITECTURES[row.architecture]
    arguments = inspect.signature(model.__init__).parameters
    assert row.variant in model.variants
    assert row.naming in NAMINGS[row.architecture]
    assert row.constructor_arguments().keys() <= arguments.keys()
    assert ("gelu_approximate" in arguments) == (row.gelu_approximate is not None)
    assert re.fullmatch(r"[a-z0-9_]+\.[a-z0-9_]+", row.name)
    assert row.suffix in SUFFIXES
    sizes = {**model.variants[row.variant], **row.constructor_arguments()}
    assert row.image_size % sizes.get("patch_size", arguments["patch_size"].default) == 0


@pytest.mark.parametrize("row", ALL, ids=by_name)
def test_a_row_says_where_the_file_is(row):
    if row.url is None:
        assert row.page.startswith("https://drive.google.com/file/d/")
    else:
        assert row.url.startswith("https://") and row.url.endswith(row.suffix)
        digits = re.search(r"-([0-9a-f]{8})\.pth$", row.url)
        assert row.sha256 == (digits and digits[1])


@pytest.mark.parametrize("row", ALL, ids=by_name)
def test_a_row_gives_numbers_in_their_range(row):
    assert row.num_classes in (1000, 11221, 21843)
    assert ("in1k" in row.name or "dino" in row.name) == (row.num_classes == 1000)
    assert row.image_size in (224, 256, 384)
    assert 0.8 < row.crop <= 1 and row.interpolation in ("bicubic", "bilinear")
    assert (row.top1 is None) == (row.top1_by is None)
    assert row.top1 is None or (60 < row.top1 < 90 and row.num_classes == 1000)


def test_weights_of_google_were_trained_with_the_tanh_gelu():
    for row in ALL:
        if row.url is not None and re.search("googleapis|jx_", row.url):
            assert row.gelu_approximate is True and row.pixel_mean == row.pixel_std == 0.5


def test_the_mislabelled_mixers_say_what_they_are():
    rows = presets("MLPMixer", pattern="*goog_in21k_ft_in1k")
    assert len(rows) == 2
    assert all("trained on ImageNet-1k alone" in row.note for row in rows)


def test_filters():
    assert {row.architecture for row in presets(ViT)} == {"ViT"}
    assert presets(VisionPermutator) == presets("VisionPermutator")
    assert [row.name for row in presets("RepMLPNet", variant="T256")] == [
        "repmlpnet_t256.official_in1k"
    ]
    assert {row.variant for row in presets("ViT", variant="H/14")} == {"H/14"}
    assert presets(pattern="gmlp*")[0].name == "gmlp_s16_224.ra3_in1k"
    assert presets(pattern="nothing") == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"architecture": "Mixer"}, "`architecture` is 'Mixer'. Did you mean 'MLPMixer'?"),
        ({"architecture": "ViT", "variant": "B16"}, "`variant` is 'B16'. Did you mean 'B/16'?"),
    ],
    ids=str,
)
def test_refuses_what_does_not_exist(arguments, message):
    with pytest.raises(ValueError) as error:
        presets(**arguments)
    assert message in str(error.value)
