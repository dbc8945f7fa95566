"""Known noise is left out of stderr, and nothing else."""

import os

import pytest

from keras_mlp import stderr_noise
from keras_mlp.stderr_noise import stderr_without

LINES = b"E cuda_platform.cc:51] failed call to cuInit: 303\nE something real\nI a note\n"


def test_only_the_lines_with_the_noise_are_left_out(capfd):
    with stderr_without(b"failed call to cuInit", b"a note"):
        os.write(2, LINES)
        assert capfd.readouterr().err == ""
    assert capfd.readouterr().err == "E something real\n"


def test_an_error_inside_keeps_what_was_written(capfd):
    with pytest.raises(RuntimeError), stderr_without(b"noise"):
        os.write(2, b"the reason\n")
        raise RuntimeError
    assert capfd.readouterr().err == "the reason\n"


def test_everything_is_shown_if_asked(capfd, monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    with stderr_without(b"cuInit"):
        os.write(2, LINES)
        assert capfd.readouterr().err == LINES.decode()


def test_a_process_without_stderr_goes_on(monkeypatch):
    unused = os.dup(2)
    os.close(unused)
    assert stderr_noise._is_open(2) and not stderr_noise._is_open(unused)
    monkeypatch.setattr(stderr_noise, "_is_open", lambda descriptor: False)
    with stderr_without(b"noise"):
        pass
