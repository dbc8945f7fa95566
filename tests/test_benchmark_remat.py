"""The benchmark of rematerialization, at toy size in real processes."""

import json

import pytest

from benchmarks import remat
from benchmarks.agreement import Disagreement
from benchmarks.worker_process import WorkerFailed


def turn(peak, seconds, start=1000.0, loss=1.0):
    return {
        "start": start,
        "peak": peak,
        "seconds": seconds,
        "cpu_seconds": 2 * seconds,
        "loss": loss,
        "versions": "keras 3",
    }


@pytest.mark.sweep
def test_a_run_measures_both_in_turn(tmp_path):
    samples = remat.measure(["pico/2"], batch=2, rounds=1)
    assert list(samples) == ["pico/2 off", "pico/2 on"]
    for [sample] in samples.values():
        assert sample["peak"] >= sample["start"] > 50  # MiB: TensorFlow alone takes more
        assert 0 < sample["seconds"] < 60 and sample["cpu_seconds"] > 0
    text = remat.markdown({"facts": {"date": "today"}, "samples": samples})
    assert "- date: today" in text and "| pico/2 | on |" in text and "tensorflow 2" in text


def test_the_table_shows_medians_and_shares():
    samples = {
        "S/16 off": [turn(5000, 2.0), turn(4000, 1.0), turn(9000, 8.0)],
        "S/16 on": [turn(2000, 3.0), turn(3000, 2.0), turn(2500, 9.0)],
    }
    rows = remat.markdown({"facts": {}, "samples": samples}).splitlines()
    assert rows[-2] == "| S/16 | off | 5000 | 4000 | 1.00 | 2.0 | 4.0 | 1.00 |"
    assert rows[-1] == "| S/16 | on | 2500 | 1500 | 0.38 | 3.0 | 6.0 | 1.50 |"


def test_a_loss_that_changed_is_an_error(monkeypatch):
    losses = {"S/16 off": 1.0, "S/16 on": 1.1}
    monkeypatch.setattr(remat, "_step", lambda name, order: turn(1, 1, loss=losses[name]))
    with pytest.raises(Disagreement, match="S/16 on differs from S/16 off"):
        remat.measure(["S/16"], batch=1, rounds=1)


@pytest.mark.sweep
def test_a_failing_process_says_why():
    order = {"sizes": {"hidden_dim": 0}, "remat": True, "batch": 1}
    with pytest.raises(WorkerFailed, match=r"(?s)toy ended early.*`hidden_dim` must be a positive"):
        remat._step("toy", order)


def test_the_run_is_printed_and_stored(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(remat, "_step", lambda name, order: turn(2000 + order["batch"], 1.0))
    remat.main(["--variants", "pico/2", "--batch", "3", "--json", str(tmp_path / "run.json")])
    assert "| pico/2 | on | 2003 | 1003 |" in capsys.readouterr().out
    stored = json.loads((tmp_path / "run.json").read_text())
    assert len(stored["samples"]["pico/2 on"]) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--variants", "S/16,S/61"], "Did you mean 'S/16'?"),
        (["--batch", "0"], "`batch` must be a positive integer, got 0"),
        (["--rounds", "-1"], "`rounds` must be a positive integer, got -1"),
        (["--json", "no/folder/out.json"], "`json` must be in an existing folder"),
    ],
)
def test_bad_arguments_end_before_any_work(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        remat.main(arguments)
    assert stop.value.code == 2 and message in capsys.readouterr().err
