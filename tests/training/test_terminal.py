"""Known noise is left out of the terminal, and nothing else."""

import logging

import pytest

from training import terminal


@pytest.mark.parametrize(("level", "count"), [("2", 1), ("0", 2)])
def test_the_folder_of_an_unfinished_dataset_is_not_warned_of(level, count, monkeypatch, caplog):
    log = logging.getLogger("absl")
    monkeypatch.setattr(log, "filters", [])
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", level)
    terminal.set_up_terminal()
    log.warning("Variant folder %s has invalid version %s", "digits/1.0.0.incomplete", "x")
    log.warning("something %s", "real")
    assert len(caplog.records) == count
