"""What models cost: exact counts, what is timed, and how it is shown."""

import json

import keras
import pytest

import keras_mlp
from benchmarks import latency
from benchmarks.graph_products import graph_products
from benchmarks.rounds import Sample
from examples.comparators import bit_resnet, plain_mlp

PAGE = "training/configs/compare_digits.py"
NAMES = ("RepMLPNet", "examples.comparators:plain_mlp")


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A run whose clock is a counter; the calls themselves are real."""
    file, turns = tmp_path_factory.mktemp("latency") / "costs.json", iter(range(10, 100))

    def timed(call, seconds, threads):
        call()
        return Sample(0.0, 1, 1.0, cpu_milliseconds=next(turns))

    page = ["--config", PAGE, "--set", f"architectures={NAMES}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latency, "time_calls", timed)
        latency.main([*page, "--rounds", "2", "--json", str(file)])
    return file


@pytest.mark.sweep
def test_every_model_is_counted_and_timed_in_both_forms(measured):
    net, mlp = json.loads(measured.read_text())["results"]
    assert [net["architecture"], mlp["architecture"]] == list(NAMES)
    # In turn: float32 and int8 of the first model, then of the second, then the next round.
    assert [turn["cpu_milliseconds"] for turn in net["float32"]["samples"]] == [10, 14]
    assert [turn["cpu_milliseconds"] for turn in mlp["int8"]["samples"]] == [13, 17]
    assert net["float32"]["milliseconds"] == 12
    model = keras_mlp.RepMLPNet.from_variant("pico/2", image_shape=(8, 8, 1), num_classes=10)
    assert net["parameters"] == model.count_params()
    assert net["macs"] == keras_mlp.analysis.cost(keras_mlp.deploy(model)).macs
    assert mlp["macs"] == 64 * 192 + 2 * 192**2 + 192 * 10


@pytest.mark.sweep
def test_the_stored_run_is_shown_again(measured, capsys):
    latency.main(["--from", str(measured)])
    rows = capsys.readouterr().out.strip().splitlines()
    assert rows[-2].startswith("| RepMLPNet | ") and rows[-2].endswith(
        "| 12 (10 to 14) | 13 (11 to 15) |"
    )


def test_the_graph_of_other_models_is_counted():
    shape, width = (8, 8, 1), 8
    model = bit_resnet(shape, 3, widths=(width,), blocks=1, groups=4)
    stem, block, head = 64 * 9 * width, 2 * 64 * 9 * width**2, 3 * width
    assert sum(each.macs for each in graph_products(model)) == stem + block + head
    mlp = plain_mlp(shape, 3, widths=(5,))
    assert sum(each.macs for each in graph_products(mlp)) == 64 * 5 + 5 * 3


def test_a_product_that_is_not_counted_is_named():
    image = keras.Input((4, 4, 1))
    output = keras.layers.Conv2DTranspose(1, 2)(image)
    with pytest.raises(ValueError, match="computes Conv2DBackpropInput, which is not counted"):
        graph_products(keras.Model(image, output))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", PAGE, "--classes", "0"], "`classes` must be a positive integer, got 0"),
        (["--config", "none.py"], "no config page at none.py"),
        (["--config", PAGE, "--json", "none/a.json"], "`json` must be in an existing folder"),
        (["--config", PAGE, "--set", "architectures=('Q',)"], "'Q'"),
        (["--from", "setup.cfg"], "setup.cfg is damaged"),
    ],
)
def test_wrong_options_end_before_any_work(arguments, message, capsys):
    with pytest.raises(SystemExit):
        latency.main(arguments)
    assert message in capsys.readouterr().err


def test_without_litert_it_is_refused_with_the_way_out(monkeypatch, capsys):
    monkeypatch.setattr(latency, "LITERT", "no_such_runtime")
    with pytest.raises(SystemExit):
        latency.main(["--config", PAGE])
    assert "pip install 'keras_mlp[litert]'" in capsys.readouterr().err
