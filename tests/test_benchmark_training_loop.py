"""The benchmark of the training loop: its report, and the settings that it compares."""

import pytest

from benchmarks import training_loop
from benchmarks.rounds import Sample


def test_the_report_compares_with_the_first_in_wall_and_cpu_time():
    samples = {
        "orbit": [Sample(40.0, 1, 1.0, 60.0), Sample(60.0, 1, 1.0, 60.0)],
        "compile_gelu": [Sample(20.0, 1, 1.0, 40.0), Sample(40.0, 1, 1.0, 40.0)],
    }
    lines = training_loop.report(samples, steps=10).splitlines()
    assert lines == [
        "orbit: 5.00 ms per step (best 4.00); orbit / orbit: 1.000 (1.000 to 1.000), in CPU time "
        "1.000 of 6.00 ms",
        "compile_gelu: 3.00 ms per step (best 2.00); orbit / compile_gelu: 1.750 (1.500 to 2.000), "
        "in CPU time 1.500 of 4.00 ms",
    ]


@pytest.mark.sweep
def test_every_setting_trains():
    calls = training_loop.contenders("pico/2", batch=4, steps=2, settings=True)
    assert list(calls) == list(training_loop._SETTINGS)
    losses = [call()["loss"] for call in calls.values()]
    assert losses == pytest.approx([losses[0]] * len(losses), rel=1e-3)


@pytest.mark.sweep
def test_the_bare_step_and_the_loop_are_timed_in_bfloat16(capsys):
    options = "--variant=pico/4 --batch=2 --steps=1 --rounds=1 --dtype=mixed_bfloat16"
    training_loop.main(options.split())
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines[:2]] == ["bare", "orbit"]
