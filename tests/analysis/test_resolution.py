"""Cost as a function of the image: exponents, sizes that do not fit, the printed table."""

import pytest

from keras_mlp import FFOnly, VisionPermutator
from keras_mlp.analysis import cost_of_variant, resolution_curve
from tests.test_contract import ROWS

SIDES = (8, 16, 32)


@pytest.mark.parametrize("architecture", ROWS)
def test_token_mixing_is_linear_or_quadratic(architecture):
    form = {"deployed": True} if architecture == "RepMLPNet" else {}
    curve = resolution_curve(architecture, "pico/2", sides=SIDES, **form)
    exponent = ROWS[architecture].exponent
    assert curve.exponents() == [None, exponent, exponent]
    for row, side in zip(curve.table(), SIDES, strict=True):
        assert row["image"] == (side, side)
    single = cost_of_variant(architecture, "pico/2", image_shape=(32, 32, 3), **form)
    assert row["macs"] == single.macs and row["parameters"] == single.parameters
    assert row["channel_mixing_macs"] == single.parts["channel_mixing"].macs


def test_convolutions_make_repmlpnet_a_little_less_than_quadratic():
    _, first, second = resolution_curve("RepMLPNet", "pico/2", sides=SIDES).exponents()
    assert 1 < first < second < 2


def test_one_partition_size_is_linear():
    curve = resolution_curve(
        "RepMLPNet", "nano/4", sides=(32, 64), partition_size=(4, 4), deployed=True
    )
    assert curve.exponents() == [None, 1] and curve.name == "RepMLPNet nano/4 deployed"
    assert len({cost.parameters for cost in curve.costs}) == 1


def test_a_token_mlp_that_grows_with_the_tokens_is_quadratic():
    assert resolution_curve("FFOnly", "pico/4", sides=(28, 56)).exponents() == [None, 2]
    fixed = resolution_curve("FFOnly", "pico/4", sides=(28, 56), token_mlp_dim=200)
    assert fixed.exponents() == [None, 1]


def test_images_that_are_not_square():
    curve = resolution_curve("ResMLP", "pico/4", sides=[(28, 56), (56, 28), 56])
    assert [cost.image_shape for cost in curve.costs] == [(28, 56, 3), (56, 28, 3), (56, 56, 3)]
    assert curve.exponents() == [None, None, 2]


def test_default_sides_are_those_that_fit():
    sides = [cost.image_shape[0] for cost in resolution_curve("ResMLP", "pico/4").costs]
    assert sides == [28, 56, 84, 112]  # not 14 and 42, which are not multiples of the patch
    permutator = resolution_curve(VisionPermutator, "pico/2")
    assert [cost.image_shape[0] for cost in permutator.costs] == [4, 8, 16, 32]


def test_the_text_is_a_table_with_exponents():
    text = str(resolution_curve("ResMLP", "pico/4", sides=(28, 56)))
    assert text.startswith("ResMLP pico/4\n\n| image ")
    rows = [line.split("|") for line in text.splitlines()[4:]]
    assert [row[1].strip() for row in rows] == ["28 x 28", "56 x 56"]
    assert [row[4].strip() for row in rows] == ["", "2.00"]


@pytest.mark.parametrize(
    ("variant", "arguments", "message"),
    [
        ("nano/4", {"sides": (33,)}, "not divisible by `patch_size`"),
        ("nano/4", {"sides": (20,)}, "Images that fit: "),
        ("nano/4", {"sides": ((32, 64),)}, "square map"),
        ("nano/4", {"sides": ()}, r"`sides` must be a tuple of image sides in pixels, got \(\)"),
        ("nano/4", {"sides": 32}, "`sides` must be a tuple of image sides in pixels, got 32"),
        ("nano/4", {"sides": (0,)}, "`sides` must be a positive integer, got 0"),
        ("nano4", {}, r"`variant` is 'nano4'\. Did you mean 'nano/4'"),
        ("nano/4", {"image_shape": (32, 32, 3)}, "`image_shape` cannot be given: `sides` sets it"),
        ("nano/4", {"mlp_ratio": 0}, "`mlp_ratio` must be"),
    ],
)
def test_refuses(variant, arguments, message):
    with pytest.raises(ValueError, match=message):
        resolution_curve("VisionPermutator", variant, **arguments)


def test_takes_the_class_or_its_name():
    by_name = resolution_curve("FFOnly", "pico/2", sides=(8,))
    assert by_name == resolution_curve(FFOnly, "pico/2", sides=(8,))
