"""The benchmark of a step through a view, at toy size in real processes."""

import json

import pytest

from benchmarks import views
from benchmarks.agreement import Disagreement

TOY = ["--architectures", "MLPMixer", "--variant", "pico/2", "--side", "12", "--batch", "2"]


def memory(peak, loss=2.0):
    return {"start": 300.0, "peak": peak, "loss": loss}


@pytest.mark.sweep
def test_a_run_measures_both_kinds_and_stores_them(tmp_path, capsys):
    views.main([*TOY, "--rounds", "3", "--json", str(tmp_path / "run.json")])
    assert "| MLPMixer pico/2 | 12 | 2 |" in capsys.readouterr().out
    stored = json.loads((tmp_path / "run.json").read_text())
    (row,) = stored["rows"]
    assert 0 < row["view"] < 60 and 0 < row["stored"] < 60
    low, high = row["quartiles"]
    assert low <= row["ratio"] <= high
    for kind in ("view", "stored"):
        assert row["memory"][kind]["peak"] >= row["memory"][kind]["start"] > 50  # MiB
    # Not trivially equal: the loss is that of the second step, after an update of the weights.
    losses = [row["memory"][kind]["loss"] for kind in ("view", "stored")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4) and losses[0] > 0


def test_a_view_that_computes_something_else_is_an_error(monkeypatch, capsys):
    losses = {"view": 2.0, "stored": 2.1}
    monkeypatch.setattr(views, "run_once", lambda module, name, order: memory(1, losses[name]))
    with pytest.raises(Disagreement, match="stored differs from view"):
        views.measure("MLPMixer", views._parser().parse_args(TOY))
    with pytest.raises(SystemExit, match="error: stored differs from view"):
        views.main(TOY)


def test_the_table_shows_medians_ratios_and_peaks():
    row = {
        "architecture": "GMLP",
        "variant": "nano/4",
        "size": 48,
        "batch": 64,
        "stored": 2.0,
        "view": 2.5,
        "ratio": 1.24,
        "quartiles": [1.2, 1.3],
        "memory": {"stored": memory(800.4), "view": memory(900.6)},
    }
    last = views.markdown([row]).splitlines()[-1]
    assert last == "| GMLP nano/4 | 48 | 64 | 2000 | 2500 | 1.24 | 1.20-1.30 | 800 | 901 |"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rounds", "1"], "`rounds` must be at least 2"),
        (["--batch", "0"], "`batch` must be a positive integer, got 0"),
        (["--variant", "nano/5"], "Did you mean 'nano/4'"),
        (["--side", "45"], "The nearest"),
        (["--json", "no/folder/out.json"], "`json` must be in an existing folder"),
    ],
)
def test_bad_arguments_end_before_any_work(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        views.main(arguments)
    assert stop.value.code == 2 and message in capsys.readouterr().err
