"""The folder of a SavedModel appears whole or not at all, and replaces nothing by accident."""

import contextlib
import json
import os
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mlp import export_saved_model
from keras_mlp.export import folders
from tests.export.toys import IMAGE, functional, some_images, toy
from tests.full_disk import full_disk


def contents(folder):
    return {f.name: f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def test_overwrite_replaces_the_old_one(tmp_path):
    path = export_saved_model(functional(keras.Input((8, 8, 3))), tmp_path / "toy")
    model = functional(keras.Input((8, 8, 3)))
    with pytest.raises(FileExistsError, match=r"toy already; `overwrite` is False"):
        export_saved_model(model, path)
    assert export_saved_model(model, path, overwrite=True) == path
    outputs = tf.saved_model.load(str(path))(some_images(2))
    np.testing.assert_allclose(outputs, model(some_images(2)), rtol=0, atol=1e-6)
    assert os.listdir(tmp_path) == ["toy"]


def test_overwrite_replaces_nothing_but_a_saved_model(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    for path in (tmp_path, tmp_path / "thesis.tex"):
        with pytest.raises(FileExistsError, match="is not a SavedModel: `overwrite` replaces noth"):
            export_saved_model(toy(), path, overwrite=True)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@contextlib.contextmanager
def failing(monkeypatch, owner, name, when=lambda *args: True):
    """Makes a function fail after its work, like a full disk or a killed process."""
    original = getattr(owner, name)

    def fail(*args, **kwargs):
        if not when(*args):
            return original(*args, **kwargs)
        if name != "rename":
            original(*args, **kwargs)
        raise OSError("no space left")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="no space left"):
        patch.setattr(owner, name, fail)
        yield


# The test looks the owners up, because Keras' own export replaces `tf.saved_model`.
FAILURES = [
    (lambda: tf.saved_model, "save", lambda *args: True),
    (lambda: folders, "sha256_of", lambda *args: True),
    (lambda: json, "dumps", lambda *args: True),
    (lambda: pathlib.Path, "rename", lambda source, *args: source.name == "new"),
]


@pytest.mark.parametrize(("owner", "name", "when"), FAILURES, ids=[f[1] for f in FAILURES])
def test_a_failure_in_the_middle_leaves_nothing_and_keeps_the_old(
    monkeypatch, tmp_path, owner, name, when
):
    model, other = functional(keras.Input(**IMAGE)), functional(keras.Input(**IMAGE))
    with failing(monkeypatch, owner(), name, when):
        export_saved_model(model, tmp_path / "toy")
    assert os.listdir(tmp_path) == []
    path = export_saved_model(model, tmp_path / "toy")
    old = contents(path)
    with failing(monkeypatch, owner(), name, when):
        export_saved_model(other, path, overwrite=True)
    assert os.listdir(tmp_path) == ["toy"]
    assert contents(path) == old


def test_a_folder_that_cannot_be_written_is_one_clear_error(monkeypatch, tmp_path):
    missing = tmp_path / "missing"
    with pytest.raises(FileNotFoundError, match=f"^Cannot write in {missing}: No such file.*$"):
        export_saved_model(toy(), missing / "toy")

    def refuse(*args, **kwargs):  # permissions do not stop root, so this simulates them
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pathlib.Path, "mkdir", refuse)
    with pytest.raises(PermissionError, match=f"^Cannot write in {tmp_path}: Permission denied.$"):
        export_saved_model(toy(), tmp_path / "toy")
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_an_error_that_names_the_folder(tmp_path):
    path = export_saved_model(toy(), tmp_path / "toy")
    old = contents(path)
    too_large = pytest.raises(OSError, match=f"^{path} cannot be written: .*File too large")
    with full_disk(), too_large as error:
        export_saved_model(toy(), path, overwrite=True)
    assert "\n" not in str(error.value) and isinstance(error.value.__cause__, tf.errors.OpError)
    assert os.listdir(tmp_path) == ["toy"] and contents(path) == old
