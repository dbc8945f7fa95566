"""Files that PyTorch wrote are read exactly, without running their code.

tests/weights/torch/make.py writes them.
"""

import pathlib
import struct
import tempfile
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_mlp import MLPMixer, load_checkpoint
from keras_mlp.weights import size_limit, torch_files
from keras_mlp.weights.tensor_files import read_tensors
from tests.weights.torch_writer import write_training_state
from tests.weights.toy_checkpoint import SUFFIXES, write

FOLDER = pathlib.Path(__file__).parent / "torch"
FORMS = ("", "_stream")  # a zip archive, and the format before PyTorch 1.6
MATRIX = np.arange(12, dtype="float32").reshape(3, 4)
# The upper halves of the float32 nearest to a third of each number.
THIRDS = np.array(
    [0, 1 / 3, 2 / 3, 1, 4 / 3, 5 / 3, 2, 7 / 3, 8 / 3, 3, 10 / 3, 11 / 3], "float32"
).reshape(3, 4)
TENSORS = {
    "matrix": MATRIX,
    "transposed": MATRIX.T,
    "row": MATRIX[1],
    "every_second": np.array([0, 2, 4], "float32"),
    "half": MATRIX.astype("float16"),
    "double": MATRIX.astype("float64"),
    "parameter": MATRIX + 1,
    "count": np.array(7),
    "flags": np.array([True, False]),
    "empty": np.zeros((0, 3), "float32"),
}


def refusal(path):
    with pytest.raises(ValueError) as error:
        read_tensors(path)
    assert str(path) in str(error.value)
    return str(error.value)


def archive(folder, pickled, numbers=MATRIX):
    """A file in PyTorch's layout with our own pickle."""
    path = pathlib.Path(folder, "w.pth")
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("w/data.pkl", pickled)
        file.writestr("w/data/0", numbers.tobytes())
    return path


def tensor_pickle(offset=0, shape=(3, 4), strides=(4, 1)):
    """A pickle of {"w": a tensor that views storage 0 in this way}."""
    sizes, steps = ("".join(f"I{n}\n" for n in each) for each in (shape, strides))
    text = (
        "(dS'w'\nctorch._utils\n_rebuild_tensor_v2\n"
        "((S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI12\ntQ"
        f"I{offset}\n({sizes}t({steps}tI00\nNtRs."
    )
    return text.encode()


@pytest.mark.parametrize("form", FORMS)
def test_reads_every_kind_of_tensor(form):
    read = read_tensors(FOLDER / f"tensors{form}.pth")
    assert read.keys() == TENSORS.keys() | {"bfloat16"}
    for name, expected in TENSORS.items():
        assert read[name].dtype == expected.dtype
        np.testing.assert_array_equal(read[name], expected)
    assert read["bfloat16"].dtype == "float32"
    np.testing.assert_allclose(read["bfloat16"], THIRDS, rtol=2**-8)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("container", ["model", "state_dict"])
def test_takes_the_weights_out_of_a_training_state(container, form):
    read = read_tensors(FOLDER / f"{container}{form}.pth")
    assert read.keys() == {"w"}
    np.testing.assert_array_equal(read["w"], [1, 1])


PLAIN, AVERAGED = {"w": np.zeros(3, "float32")}, {"w": np.ones(3, "float32")}
BOTH = [("state_dict", "state_dict_ema"), ("model", "model_ema")]


@pytest.mark.parametrize(("plain", "averaged"), BOTH)
def test_takes_averaged_weights_before_plain_ones_and_says_so(plain, averaged, tmp_path):
    path = write_training_state({plain: PLAIN, averaged: AVERAGED}, tmp_path / "w.pth")
    for ema, expected in ((True, AVERAGED), (False, PLAIN)):
        np.testing.assert_array_equal(read_tensors(path, ema)["w"], expected["w"])
    with pytest.warns(UserWarning, match=r"the averaged ones were taken. Pass `ema=False`"):
        np.testing.assert_array_equal(read_tensors(path)["w"], AVERAGED["w"])


@pytest.mark.parametrize("averaged", ["state_dict_ema", "model_ema"])
def test_takes_averaged_weights_that_stand_alone(averaged, tmp_path):
    path = write_training_state({averaged: AVERAGED}, tmp_path / "w.pth")
    np.testing.assert_array_equal(read_tensors(path)["w"], AVERAGED["w"])
    with pytest.raises(ValueError, match="`ema` is False and it holds only averaged"):
        read_tensors(path, ema=False)


def test_an_empty_average_is_none(tmp_path):
    path = write_training_state({"model": PLAIN, "model_ema": {}}, tmp_path / "w.pth")
    np.testing.assert_array_equal(read_tensors(path)["w"], PLAIN["w"])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_averaged_weights_must_be_there_if_asked_for(suffix, tmp_path):
    path = write(PLAIN, tmp_path / f"w{suffix}")
    assert read_tensors(path, ema=False).keys() == {"w"}
    with pytest.raises(ValueError, match="is refused: `ema` is True and it holds no averaged"):
        read_tensors(path, ema=True)


@pytest.mark.parametrize("suffix", [".pt", ".bin", ".tar"])
def test_knows_the_other_names_of_such_files(suffix, tmp_path):
    path = tmp_path / f"w{suffix}"
    path.write_bytes((FOLDER / "model.pth").read_bytes())
    assert read_tensors(path).keys() == {"w"}


def test_loads_into_a_model():
    model = MLPMixer(
        image_shape=(4, 6, 3),
        patch_size=2,
        num_layers=1,
        hidden_dim=4,
        token_mlp_dim=5,
        channel_mlp_dim=7,
        num_classes=3,
    )
    assert load_checkpoint(model, FOLDER / "mixer_stream.pth") == "timm"
    kernel = np.arange(30, dtype="float32").reshape(5, 6).T + 4
    np.testing.assert_array_equal(model.get_layer("block_0").token_mlp.fc1.kernel, kernel)
    stem = np.arange(48, dtype="float32").reshape(4, 3, 2, 2).transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(model.get_layer("stem").get_weights()[0], stem)
    np.testing.assert_array_equal(model.get_layer("head").bias, [17, 18, 19])


@pytest.mark.parametrize("form", FORMS)
def test_names_the_code_that_it_does_not_run(form, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = refusal(FOLDER / f"code{form}.pth")
    assert "is refused: it asks for posix.system" in message and "was not run" in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [
        "builtins eval",
        "builtins getattr",
        "numpy.core.multiarray _reconstruct",
        "torch load",
        "torch ComplexFloatStorage",
        "torch._utils _rebuild_sparse_tensor",
        "keras_mlp.weights.torch_files read_torch",
        "collections OrderedDict.fromkeys",
    ],
)
def test_refuses_every_function_but_the_few_it_knows(name, tmp_path):
    module, name = name.split()
    path = archive(tmp_path, f"c{module}\n{name}\n.".encode())
    assert f"it asks for {module}.{name}" in refusal(path)


def test_reads_a_tensor_of_our_own_pickle(tmp_path):
    np.testing.assert_array_equal(read_tensors(archive(tmp_path, tensor_pickle()))["w"], MATRIX)


@pytest.mark.parametrize(
    "view",
    [
        {"offset": 1},
        {"offset": -1},
        {"shape": (4, 4)},
        {"strides": (5, 1)},
        {"strides": (-4, 1)},
        {"strides": (4, 10**12)},
        {"shape": (-3, -4)},
    ],
    ids=str,
)
def test_looks_at_nothing_outside_of_the_file(view, tmp_path):
    assert "may be damaged" in refusal(archive(tmp_path, tensor_pickle(**view)))


@pytest.mark.parametrize(
    "view",
    [
        {"shape": (2**20, 2**20), "strides": (0, 0)},
        {"shape": (2**40, 0)},
        {"shape": (10**9, 10**9)},
    ],
    ids=str,
)
def test_refuses_a_small_file_of_large_tensors(view, tmp_path):
    path = archive(tmp_path, tensor_pickle(**view))
    assert path.stat().st_size < 600
    assert "is refused: its tensors would need" in refusal(path)


def test_refuses_numbers_that_decompress_to_much_more(tmp_path, monkeypatch):
    monkeypatch.setattr(size_limit, "_ALWAYS_ALLOWED", 2**16)
    path = tmp_path / "w.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("w/data.pkl", tensor_pickle())
        file.writestr("w/data/0", bytes(2**20))
    assert "is refused: its tensors would need" in refusal(path)


def test_refuses_a_pickle_that_decompresses_to_much_more(tmp_path, monkeypatch):
    monkeypatch.setattr(torch_files, "_LARGEST_PICKLE", 2**16)
    path = tmp_path / "w.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("w/data.pkl", tensor_pickle() + bytes(2**20))
    assert "is refused: its pickle is compressed and too large" in refusal(path)


def test_refuses_a_storage_of_less_than_nothing(tmp_path):
    content = bytearray((FOLDER / "model_stream.pth").read_bytes())
    assert struct.unpack("<q", content[-16:-8]) == (2,)  # the count, before two float32
    content[-16:-8] = struct.pack("<q", -2)
    (tmp_path / "w.pth").write_bytes(content)
    assert "a storage of -2 numbers" in refusal(tmp_path / "w.pth")


def test_refuses_numbers_that_are_missing(tmp_path):
    path = archive(tmp_path, tensor_pickle(), numbers=MATRIX[:2])
    assert "may be damaged" in refusal(path)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("list", "it holds a list instead of named tensors"),
        ("mixed", "it holds entries that are not tensors, such as 'epoch'"),
    ],
)
def test_says_what_it_holds_instead_of_tensors(name, message, form):
    assert message in refusal(FOLDER / f"{name}{form}.pth")


def test_refuses_another_zip_archive(tmp_path):
    np.savez(tmp_path / "w.npz", a=MATRIX)
    (tmp_path / "w.npz").rename(tmp_path / "w.pth")
    assert "this zip archive was not written by PyTorch" in refusal(tmp_path / "w.pth")


def test_refuses_big_endian_numbers(tmp_path):
    path = archive(tmp_path, tensor_pickle())
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("w/byteorder", "big")
    assert "its numbers are in big-endian order" in refusal(path)


@pytest.mark.parametrize("content", [b"", b"\0" * 64, b"<html>", b"\x80\x02K\x01."])
def test_refuses_other_bytes(content, tmp_path):
    (tmp_path / "w.pth").write_bytes(content)
    assert "may be damaged" in refusal(tmp_path / "w.pth")


@settings(max_examples=60, deadline=None)
@given(form=st.sampled_from(FORMS), share=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_called_damaged(form, share):
    whole = (FOLDER / f"tensors{form}.pth").read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "w.pth")
        path.write_bytes(whole[: int(share * len(whole))])
        assert "cannot be read; it may be damaged" in refusal(path)


@settings(max_examples=100, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True), value=st.integers(1, 255))
def test_a_changed_byte_of_a_zip_is_refused_or_harmless(share, value):
    data = bytearray((FOLDER / "tensors.pth").read_bytes())
    data[int(share * len(data))] ^= value
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "w.pth")
        path.write_bytes(data)
        try:
            read = read_tensors(path)
        except ValueError as error:
            assert path.name in str(error)
        else:
            np.testing.assert_array_equal(read["matrix"], MATRIX)
