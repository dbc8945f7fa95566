"""Loading a corrupted checkpoint raises one ValueError and leaves the model unchanged."""

import io
import json
import math
import pathlib
import struct
import tempfile
import zipfile

import ml_dtypes
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from keras_mlp import ARCHITECTURES, load_checkpoint, save_checkpoint
from keras_mlp.weights.tensor_files import read_tensors
from tests.test_contract import factory
from tests.weights import toy_checkpoint
from tests.weights.torch_writer import write_torch
from tests.weights.toy_checkpoint import checkpoint_of, refusal, toy_mixer

SUFFIXES = (*toy_checkpoint.SUFFIXES, ".pth")


@pytest.fixture(scope="module")
def model():
    return toy_mixer()


def write(tensors, path):
    return (write_torch if path.suffix == ".pth" else toy_checkpoint.write)(tensors, path)


def refusal_of(model, tensors, suffix):
    """The message on a file of these tensors."""
    with tempfile.TemporaryDirectory() as folder:
        return refusal(model, write(tensors, pathlib.Path(folder) / f"w{suffix}"))


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
    # A vector has no transpose, so it becomes a column.
    array = tensors[name]
    tensors[name] = np.ascontiguousarray(array.T if array.ndim > 1 else array[:, None])
    return (f"shape: {name} gives",)


def empty(tensors, name):
    tensors[name] = tensors[name][:0]
    return (f"shape: {name} gives",)


def flatten_to_scalar(tensors, name):
    tensors[name] = np.ones((), "float32")
    return (f"shape: {name} gives ()",)


def spoil(value, dtype="float32"):
    """A corruption that writes this value at the end of a tensor."""

    def corrupt(tensors, name):
        array = tensors[name].astype(dtype)
        array[(-1,) * array.ndim] = value
        tensors[name] = array
        return (f"values: {name} holds numbers that are not finite in float32",)

    return corrupt


def become(dtype):
    def corrupt(tensors, name):
        tensors[name] = tensors[name].astype(dtype)
        return (f"kind: {name} holds {dtype}",)

    return corrupt


CORRUPTIONS = (
    *(rename, drop, add, transpose, empty, flatten_to_scalar),
    *(spoil(math.nan), spoil(math.inf), spoil(-math.inf, "float16"), spoil(1e300, "float64")),
    *map(become, ("int64", "int32", "int8", "uint8", "bool")),
)


@settings(max_examples=150, deadline=None)
@given(
    source=st.sampled_from(["google", "timm"]),
    suffix=st.sampled_from(SUFFIXES),
    corruptions=st.lists(
        st.tuples(st.sampled_from(CORRUPTIONS), st.integers(0, 29)),
        min_size=1,
        max_size=8,
        unique_by=lambda corruption: corruption[1],  # each of a different tensor
    ),
)
def test_all_wrong_tensors_are_named(model, source, suffix, corruptions):
    tensors = checkpoint_of(model, source)
    names, lines = sorted(tensors), []
    for corrupt, index in corruptions:
        lines += corrupt(tensors, names[index])
    message = refusal_of(model, tensors, suffix)
    assert f"{len(lines)} problems" in message
    assert message.count("\n") == len(lines)
    for line in lines:
        assert f"\n  {line}" in message


def saved_layouts():
    """Pairs of a toy model and its tensors in a layout that can hold it."""
    for name in ARCHITECTURES:
        # Without a class token, so that big_vision's layout can hold it.
        model = factory(name)(**({"class_token": False, "pooling": "avg"} if name == "ViT" else {}))
        for layout in model.checkpoint_layouts:
            if layout != "google_legacy":
                with tempfile.TemporaryDirectory() as folder:
                    path = save_checkpoint(model, pathlib.Path(folder, "w.npz"), layout)
                    yield model, read_tensors(path)


@pytest.fixture(scope="module")
def layouts():
    return list(saved_layouts())


@settings(max_examples=250, deadline=None)
@given(
    which=st.integers(0, 99),
    index=st.integers(0, 999),
    shape=st.lists(st.integers(0, 4), max_size=5),
)
def test_a_tensor_of_any_other_size_is_refused_in_every_layout(layouts, which, index, shape):
    model, tensors = layouts[which % len(layouts)]
    name = sorted(tensors)[index % len(tensors)]
    # The same numbers in another shape may be accepted: (1, 1, C) and (C) are one vector.
    assume(math.prod(shape) != tensors[name].size)
    message = refusal_of(model, {**tensors, name: np.ones(shape, "float32")}, ".npz")
    assert f"shape: {name} " in message


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bfloat16"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_floating_point_numbers_of_every_width_are_taken(model, dtype, suffix, tmp_path):
    tensors = {k: v.astype(dtype) for k, v in checkpoint_of(model, "timm", seed=9).items()}
    path = write(tensors, tmp_path / f"w{suffix}")
    if (dtype, suffix) == ("bfloat16", ".npz"):  # numpy stores it as raw bytes without a dtype
        assert refusal(model, path).count("\n  kind: ") == len(tensors)
        return
    load_checkpoint(model, path)
    expected = tensors["head.weight"].astype("float32").T
    np.testing.assert_array_equal(model.get_layer("head").kernel, expected)


def test_the_smallest_width_is_bfloat16_of_ml_dtypes():
    assert np.dtype("bfloat16") == ml_dtypes.bfloat16  # the test above relies on this


@settings(max_examples=90, deadline=None)
@given(suffix=st.sampled_from(SUFFIXES), share=st.floats(0, 1, exclude_max=True))
@example(suffix=".npz", share=0.0)
@example(suffix=".safetensors", share=0.0)
@example(suffix=".pth", share=0.0)
@example(suffix=".npz", share=1 - 1e-9)
@example(suffix=".safetensors", share=1 - 1e-9)
@example(suffix=".pth", share=1 - 1e-9)
def test_a_truncated_file_is_called_damaged(model, suffix, share):
    with tempfile.TemporaryDirectory() as folder:
        path = write(checkpoint_of(model, "timm"), pathlib.Path(folder) / f"w{suffix}")
        whole = path.read_bytes()
        path.write_bytes(whole[: int(share * len(whole))])
        assert "cannot be read; it may be damaged" in refusal(model, path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_small_file_is_refused_wherever_it_is_cut(suffix, tmp_path):
    path = write({"head.bias": np.ones(5, "float32")}, tmp_path / f"w{suffix}")
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="cannot be read; it may be damaged"):
            read_tensors(path)


@settings(max_examples=90, deadline=None)
@given(
    suffix=st.sampled_from([".npz", ".pth"]),
    share=st.floats(0, 1, exclude_max=True),
    value=st.integers(1, 255),
)
def test_a_changed_byte_of_a_zip_is_refused_or_harmless(model, suffix, share, value):
    # Checksums in a zip cover the arrays, so a file that loads has the saved numbers.
    tensors = checkpoint_of(model, "google")
    with tempfile.TemporaryDirectory() as folder:
        path = write(tensors, pathlib.Path(folder) / f"w{suffix}")
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


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


# numpy treats "name.npy" and "name" as the same name.
@pytest.mark.parametrize("member", ["head.bias.npy", "head.bias"])
@pytest.mark.filterwarnings("ignore:Duplicate name")  # zipfile, while the file is made
def test_two_arrays_of_one_name_are_refused(model, member, tmp_path):
    path = write(checkpoint_of(model, "timm"), tmp_path / "w.npz")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(member, npy(np.ones(5, "float32")))
    assert "two arrays with the same name" in refusal(model, path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_storages_of_one_name_are_refused(model, tmp_path):
    path = write(checkpoint_of(model, "timm"), tmp_path / "w.pth")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("w/data/0", bytes(20))
    assert "two members with the same name" in refusal(model, path)


def test_two_safetensors_of_one_name_are_refused(model, tmp_path):
    def entry(start):
        offsets = [start, start + 20]
        return json.dumps({"dtype": "F32", "shape": [5], "data_offsets": offsets})

    header = f'{{"head.bias": {entry(0)}, "head.bias": {entry(20)}}}'.encode()
    path = tmp_path / "w.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(40))
    assert "cannot be read; it may be damaged" in refusal(model, path)
