"""Known noise is left out of the terminal, and nothing else."""

import logging
import os

import pytest

from training import terminal


def test_only_the_lines_with_the_noise_are_left_out(capfd):
    with terminal._without(b"failed call to cuInit"):
        os.write(2, b"E cuda_platform.cc:51] failed call to cuInit: 303\nE something real\n")
        assert capfd.readouterr().err == ""
    assert capfd.readouterr().err == "E something real\n"


def test_an_error_inside_keeps_what_was_written(capfd):
    with pytest.raises(RuntimeError), terminal._without(b"noise"):
        os.write(2, b"the reason\n")
        raise RuntimeError
    assert capfd.readouterr().err == "the reason\n"


@pytest.mark.parametrize(("level", "count"), [("2", 1), ("0", 2)])
def test_the_folder_of_an_unfinished_dataset_is_not_warned_of(level, count, monkeypatch, caplog):
    log = logging.getLogger("absl")
    monkeypatch.setattr(log, "filters", [])
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", level)
    terminal.set_up_terminal()
    log.warning("Variant folder %s has invalid version %s", "digits/1.0.0.incomplete", "x")
    log.warning("something %s", "real")
    assert len(caplog.records) == count
