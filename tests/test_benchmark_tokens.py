"""Time against tokens: what is built, what is timed in turn, and how it is shown."""

import functools
import json
import xml.etree.ElementTree as ElementTree

import pytest
import tensorflow as tf

import keras_mlp
from benchmarks import tokens
from benchmarks.rounds import Sample


@pytest.mark.parametrize("name", keras_mlp.ARCHITECTURES)
@pytest.mark.parametrize("side", [224, 896])
def test_every_architecture_has_one_stage_of_the_width(name, side):
    model = keras_mlp.analysis.weightless(tokens.equal_width, name, side, 336, 2)
    assert len(model.blocks) == 2 and model.grid == (side // 16, side // 16)
    assert model.blocks[0].output.shape[-1] == 336


def test_models_are_timed_in_turn(monkeypatch):
    calls = []

    def timed(call, seconds, threads):
        call()
        calls.append(len(calls))
        return Sample(10.0 + len(calls), 3, 0.99)

    monkeypatch.setattr(tokens, "time_calls", timed)
    makers = [
        (name, 32, functools.partial(tokens.equal_width, name, 32, 64, 1))
        for name in ("MLPMixer", "ViT")
    ]
    mixer, vit = tokens.measure(makers, rounds=3, seconds=0.1, threads=1)
    assert (mixer["tokens"], vit["tokens"]) == (4, 4)
    assert [turn.milliseconds for turn in mixer["samples"]] == [11, 13, 15]
    assert (vit["lowest"], vit["milliseconds"], vit["highest"]) == (12, 14, 16)
    assert mixer["macs"] == keras_mlp.analysis.cost(tokens.equal_width("MLPMixer", 32, 64, 1)).macs


def test_the_table_shows_medians_ranges_and_growth():
    def result(model, count, ms):
        return {
            "model": model,
            "tokens": count,
            "milliseconds": ms,
            "lowest": ms - 1,
            "highest": ms + 1,
            "macs": 2 * count * 10**7,
        }

    results = [result("A", 100, 10.0), result("A", 200, 40.0), result("B", 100, 8.0)]
    lines = tokens.markdown({"facts": {"date": "today"}, "results": results}).splitlines()
    assert lines[0] == "- date: today"
    assert lines[2] == "| ms (range over rounds) | 100 tokens | 200 tokens | exponent |"
    assert lines[4] == "| A | 10 (9 to 11) | 40 (39 to 41) | 2.00 |"
    assert lines[5] == "| B | 8 (7 to 9) |  |  |"
    assert lines[9] == "| A | 2 | 4 |"


def test_the_pair_of_the_paper_has_equal_sizes_and_its_own():
    parsed = type("Options", (), {"pair": "B/16", "sides": [224]})
    makers = tokens._makers(parsed)
    assert [(label, side) for label, side, _ in makers] == [
        ("MLPMixer B/16", 224),
        ("MLPMixer B/16", 448),
        ("ViT B/16", 224),
        ("ViT B/16", 512),
    ]
    model = keras_mlp.analysis.weightless(makers[1][2])
    assert isinstance(model, keras_mlp.MLPMixer) and model.grid == (28, 28)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sides", "100"], "`sides` must be multiples of 16, got 100"),
        (["--pair", "Q/16"], "`pair` is 'Q/16'"),
        (["--rounds", "0"], "`rounds` must be a positive integer"),
        (["--architectures", "MLPMixr"], "Did you mean 'MLPMixer'"),
        (["--picture", "none/tokens.svg"], "`picture` must be in an existing folder"),
        (["--from", "none.json"], "none.json"),
        (["--from", "docs/results/fewshot_digits.json"], "was not written by python -m benchm"),
        (["--from", "setup.cfg", "setup.cfg", "--picture", "a.svg"], "give `--from` one file"),
    ],
)
def test_wrong_options_end_before_any_work(arguments, message, capsys):
    with pytest.raises(SystemExit):
        tokens.main(arguments)
    assert message in capsys.readouterr().err


def test_a_stored_run_is_shown_again_without_measuring(tmp_path, monkeypatch, capsys):
    for kind in ("intra", "inter"):  # TensorFlow runs already
        monkeypatch.setattr(
            tf.config.threading, f"set_{kind}_op_parallelism_threads", lambda threads: None
        )
    turns = iter(range(10, 10_000))
    monkeypatch.setattr(
        tokens, "time_calls", lambda call, seconds, threads: Sample(next(turns), 1, 1.0)
    )
    file, picture = tmp_path / "tokens.json", tmp_path / "tokens.svg"
    sizes = ["--sides", "32", "64", "--width", "64", "--layers", "1", "--rounds", "2"]
    names = ["--architectures", "MLPMixer", "ResMLP"]
    tokens.main([*names, *sizes, "--json", str(file)])
    measured = capsys.readouterr().out
    assert "| MLPMixer | 12 (10 to 14) | 13 (11 to 15) |" in measured

    monkeypatch.setattr(tokens, "measure", None)
    tokens.main(["--from", str(file), "--picture", str(picture)])
    assert capsys.readouterr().out.strip() == measured.strip()
    texts = [each.text for each in ElementTree.parse(picture).iter() if each.text]
    assert {"MLPMixer", "ResMLP", "4", "16", "tokens"} <= set(texts)

    file.write_text(json.dumps({**json.loads(file.read_text()), "results": [{}]}))
    with pytest.raises(SystemExit):
        tokens.main(["--from", str(file)])
    assert "tokens.json is damaged: KeyError" in capsys.readouterr().err
