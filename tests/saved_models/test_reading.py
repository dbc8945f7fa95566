"""Files of an artefact that are damaged, of the wrong kind, or would run code are refused."""

import os
import pathlib
import pickle
import zipfile

import keras
import numpy as np
import pytest

from saved_models.artefact import (
    load_keras_model,
    load_saved_model,
    read_golden,
    read_labels,
    read_metrics,
)


class Evil:
    """Unpickling it creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return pathlib.Path.touch, (self.path,)


def truncated(source, folder):
    data = source.read_bytes()
    (folder / source.name).write_bytes(data[: len(data) * 2 // 3])


def pickled(source, folder):
    (folder / source.name).write_bytes(pickle.dumps(Evil(folder / "ran")))


def changed(source, folder):
    data = bytearray(source.read_bytes())
    data[len(data) // 3] ^= 255
    (folder / source.name).write_bytes(data)


def renamed(source, folder):
    (folder / source.name).write_bytes((source.parent / "metrics.json").read_bytes())


def another_zip(source, folder):
    with zipfile.ZipFile(folder / source.name, "w") as archive:
        archive.writestr("config.json", "{}")


def absent(source, folder):
    pass


READERS = {"golden.npz": read_golden, "model.keras": load_keras_model}
CHANGES = (truncated, pickled, changed, renamed, another_zip, absent)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("name", READERS)
def test_a_file_that_is_not_what_was_made_is_one_clear_error(name, change, made, tmp_path):
    change(made / name, tmp_path)
    with pytest.raises(ValueError, match=name) as error:
        READERS[name](tmp_path)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "ran").exists()


def test_arrays_of_objects_are_not_unpickled(tmp_path):
    arrays = dict.fromkeys(("images", "logits", "features"), np.array([Evil(tmp_path / "ran")]))
    np.savez(tmp_path / "golden.npz", **arrays)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        read_golden(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_golden_arrays_of_other_types_are_refused(tmp_path):
    np.savez(tmp_path / "golden.npz", **dict.fromkeys(("images", "logits", "features"), 1.0))
    with pytest.raises(ValueError, match="images must be uint8, outputs float32"):
        read_golden(tmp_path)


def test_a_keras_file_with_code_is_refused(tmp_path):
    inputs = keras.Input((8, 8, 1))
    touch = keras.layers.Lambda(lambda x: x * os.getpid())(inputs)
    keras.Model(inputs, touch).save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match=r"model.keras cannot be loaded: .*[Ll]ambda"):
        load_keras_model(tmp_path)


def test_a_keras_file_with_another_model_is_refused(tmp_path):
    keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)]).save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="holds a Sequential, not a model of keras_mlp"):
        load_keras_model(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "There is no .*metrics.json"),
        ("{", "metrics.json is damaged"),
        ("[]", "has no 'format_version'"),
        ('{"format_version": 1}', "has no 'name'"),
    ],
)
def test_metrics_that_cannot_be_read_are_one_clear_error(text, message, tmp_path):
    if text is not None:
        (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_metrics(tmp_path)


def test_labels_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "labels.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"labels\.txt cannot be read"):
        read_labels(tmp_path)


def test_a_saved_model_without_its_weights_is_one_clear_error(copy):
    (copy / "classifier" / "variables" / "variables.index").unlink()
    with pytest.raises(ValueError, match="classifier cannot be loaded: ") as error:
        load_saved_model(copy / "classifier")
    assert "\n" not in str(error.value)
