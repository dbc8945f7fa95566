"""Masked bytes: equal parameters, what is hidden, and which model takes a longer text."""

import json

import numpy as np
import pytest

from examples import text

KINDS = ("gMLP", "Mixer", "transformer")


@pytest.mark.sweep
def test_the_program_trains_and_compares(tmp_path, capsys):
    options = ["--steps", "80", "--batch", "16", "--length", "16", "--width", "16", "--depth", "1"]
    (tmp_path / "words.txt").write_text("abcd " * 400)
    text.main([*options, "--file", str(tmp_path / "words.txt"), "--json", str(tmp_path / "r.json")])
    runs = json.loads((tmp_path / "r.json").read_text())["runs"]
    assert [run["model"] for run in runs] == list(KINDS)
    for run in runs:
        assert 1 < run["perplexity"] < 100  # of 256 that know nothing: five bytes occur
        has_longer = run["perplexity_at_twice_the_length"] is not None
        assert has_longer == (run["model"] == "transformer")
    printed = capsys.readouterr().out
    assert printed.count("| cannot |") == 2 and "| transformer |" in printed
    text.main(["--from", str(tmp_path / "r.json")])
    again = capsys.readouterr().out
    assert again.partition("\n\n")[0] in printed and "3 run(s); 20" in again


def test_parameters_are_nearly_equal():
    target = text.network("transformer", 32, 32, 2, 128).count_params()
    for kind in KINDS:
        found = text.matched(kind, 32, 32, 2, target).count_params()
        assert abs(found - target) / target < 0.02


def test_hidden_bytes_are_those_that_weigh():
    whole = np.arange(200).reshape(2, 100).astype("int32")
    seen, weights = text.hide(whole, np.random.default_rng(0))
    assert (seen[weights == 1] == text.MASK).all()
    np.testing.assert_array_equal(seen[weights == 0], whole[weights == 0])
    assert 0.05 < weights.mean() < 0.3


def test_a_longer_transformer_has_the_same_weights():
    model = text.network("transformer", 8, 16, 2, 24)
    again = text.longer(model, 20)
    assert again.input_shape == (None, 20)
    words = np.random.default_rng(1).integers(0, 256, (1, 8)).astype("int32")
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert model.predict(words, verbose=0).shape == (1, 8, 256)
    assert text.longer(text.network("Mixer", 8, 16, 1, 24), 20) is None


def test_the_text_of_every_python_is_large_enough():
    train, held_out = text.texts(None)
    assert len(train) > 400_000 and len(held_out) == (len(train) + len(held_out)) // 10
    assert train.min() >= 0 and train.max() < 256


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--steps", "0"], "`steps` must be a positive integer, got 0"),
        (["--width", "12"], "`width` must be a multiple of 8, got 12"),
        (["--file", "none.txt"], "`file` none.txt cannot be read: No such file"),
        (["--from", "none.json"], "No such file or directory: 'none.json'"),
        (["--from", "docs/results/cifar10_families_h200.json"], "no results.json of examples.text"),
        (["--from", "setup.cfg"], "setup.cfg is damaged"),
    ],
)
def test_wrong_options_end_before_any_work(options, message, capsys):
    with pytest.raises(SystemExit):
        text.main(options)
    assert message in capsys.readouterr().err
