"""Whatever happens to a checkpoint, loading it gives one ValueError and leaves the model alone."""

import pathlib
import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_mlp import MLPMixer
from tests.weights.toy_checkpoint import SUFFIXES, checkpoint_of, refusal, toy_mixer, write


@pytest.fixture(scope="module")
def model():
    return toy_mixer()


def rename(tensors, name):
    tensors[f"{name}_"] = tensors.pop(name)
    return f"missing: {name} ", f"unused: {name}_"


def drop(tensors, name):
    del tensors[name]
    return (f"missing: {name} ",)


def add(tensors, name):
    tensors[f"ema.{name}"] = tensors[name]
    return (f"unused: ema.{name}",)


def transpose(tensors, name):
    # A vector has no transpose; it becomes a column.
    array = tensors[name]
    tensors[name] = np.ascontiguousarray(array.T if array.ndim > 1 else array[:, None])
    return (f"shape: {name} gives",)


@settings(max_examples=80, deadline=None)
@given(
    source=st.sampled_from(sorted(MLPMixer.checkpoint_layouts)),
    suffix=st.sampled_from(SUFFIXES),
    corruptions=st.lists(
        st.tuples(st.sampled_from([rename, drop, add, transpose]), st.integers(0, 29)),
        min_size=1,
        max_size=8,
        unique_by=lambda corruption: corruption[1],  # each at another tensor
    ),
)
def test_all_wrong_tensors_are_named(model, source, suffix, corruptions):
    tensors = checkpoint_of(model, source)
    names, lines = sorted(tensors), []
    for corrupt, index in corruptions:
        lines += corrupt(tensors, names[index])
    with tempfile.TemporaryDirectory() as folder:
        message = refusal(model, write(tensors, pathlib.Path(folder) / f"w{suffix}"))
    assert f"{len(lines)} problems" in message
    assert message.count("\n") == len(lines)
    for line in lines:
        assert f"\n  {line}" in message


@settings(max_examples=60, deadline=None)
@given(suffix=st.sampled_from(SUFFIXES), share=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_called_damaged(model, suffix, share):
    with tempfile.TemporaryDirectory() as folder:
        path = write(checkpoint_of(model, "timm"), pathlib.Path(folder) / f"w{suffix}")
        whole = path.read_bytes()
        path.write_bytes(whole[: int(share * len(whole))])
        assert "cannot be read; it may be damaged" in refusal(model, path)


@settings(max_examples=60, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True), value=st.integers(1, 255))
def test_a_changed_byte_of_a_zip_is_refused_or_harmless(model, share, value):
    # The checksums of a zip cover the arrays, so what loads has the numbers that were saved.
    tensors = checkpoint_of(model, "google")
    with tempfile.TemporaryDirectory() as folder:
        path = write(tensors, pathlib.Path(folder) / "w.npz")
        data = bytearray(path.read_bytes())
        data[int(share * len(data))] ^= value
        path.write_bytes(data)
        model.set_weights([np.zeros(weight.shape) for weight in model.weights])
        try:
            message = refusal(model, path)
        except pytest.fail.Exception:  # it loaded
            np.testing.assert_array_equal(model.get_layer("head").kernel, tensors["head/kernel"])
        else:
            assert path.name in message
