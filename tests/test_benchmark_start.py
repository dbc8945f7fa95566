"""The benchmark of start times, at toy size in real processes."""

import json

import pytest

from benchmarks import start
from benchmarks.worker_process import WorkerFailed


def turn(**seconds):
    return {
        name.replace("_", " "): {"seconds": value, "cpu_seconds": 2 * value}
        for name, value in seconds.items()
    }


@pytest.mark.sweep
def test_a_run_times_every_stage_of_each_contender():
    samples, absent = start.measure("pico/2", rounds=1)
    assert absent["timm"] == "timm has no pico/2"
    calls = ["first call", "second call"]
    assert {name: list(turns[0]) for name, turns in samples.items()} == {
        name: stages
        for name, stages in {
            "tensorflow": ["import", "build", *calls],
            "jax": ["import", "build", *calls],
            "preset": ["import", "load", *calls],
            "saved_model": ["import", "load", *calls],
        }.items()
        if name not in absent
    }
    for [stages] in samples.values():
        assert all(0 < stage["seconds"] < 300 for stage in stages.values())
        assert stages["import"]["cpu_seconds"] > 0.2  # all of them import a framework


def test_the_table_shows_medians():
    samples = {
        "jax": [turn(**{"import": 2.0}, build=1.0), turn(**{"import": 4.0}, build=1.5)],
        "saved_model": [turn(**{"import": 5.0}, load=0.25, first_call=1.0)],
    }
    run = {"facts": {"date": "today"}, "absent": {"timm": "python lacks timm"}, "samples": samples}
    rows = start.markdown(run).splitlines()
    assert rows[:2] == ["- date: today", "- without timm: python lacks timm"]
    assert rows[-2] == "| jax | 3.00 (6.00) | 1.25 (2.50) |  |  |  |"
    assert rows[-1] == "| saved_model | 5.00 (10.00) |  | 0.25 (0.50) | 1.00 (2.00) |  |"


def test_contenders_without_their_libraries_are_named(monkeypatch):
    monkeypatch.setattr(
        start, "missing_libraries", lambda python, names: [n for n in names if n == "torch"]
    )
    monkeypatch.setattr(start, "_start", lambda name, order, python: turn(build=1.0))
    samples, absent = start.measure("S/16", rounds=2, timm_python="other")
    assert absent == {"timm": "other lacks torch", "timm_preset": "other lacks torch"}
    assert {name: len(turns) for name, turns in samples.items()} == {
        "tensorflow": 2,
        "jax": 2,
        "preset": 2,
        "saved_model": 2,
    }


def test_the_run_is_printed_and_stored(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(start, "missing_libraries", lambda python, names: [])
    monkeypatch.setattr(start, "_start", lambda name, order, python: turn(build=len(name)))
    start.main(["--variant", "pico/2", "--rounds", "1", "--json", str(tmp_path / "run.json")])
    stored = json.loads((tmp_path / "run.json").read_text())
    assert stored["samples"]["jax"] == [{"build": {"seconds": 3, "cpu_seconds": 6}}]
    assert "| jax |  | 3.00 (6.00) |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rounds", "0"], "`rounds` must be"),
        (["--variant", "L/15"], "Did you mean 'L/16'"),
        (["--json", "/absent/run.json"], "`json` must be in an existing folder"),
    ],
)
def test_bad_options_end_before_any_work(monkeypatch, capsys, arguments, message):
    monkeypatch.setattr(start, "measure", lambda *args: pytest.fail("has started"))
    with pytest.raises(SystemExit):
        start.main(arguments)
    assert message in capsys.readouterr().err


def test_an_interpreter_that_does_not_run_is_an_error(monkeypatch, capsys):
    def fail(*args):
        raise WorkerFailed("other does not run")

    monkeypatch.setattr(start, "measure", fail)
    with pytest.raises(SystemExit, match="error: other does not run"):
        start.main(["--variant", "pico/2"])
