"""python -m keras_mlp.convert: a folder with a model and its measured agreement, or nothing."""

import dataclasses
import hashlib
import pathlib
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_mlp import MLPMixer, save_checkpoint
from keras_mlp.convert import Source, convert
from keras_mlp.convert.__main__ import main
from keras_mlp.convert.card import card
from keras_mlp.convert.reference import read_reference
from keras_mlp.weights import catalogue
from keras_mlp.weights.catalogue import find_preset
from tests.contract import predict, some_pixels, with_random_weights
from tests.models.test_mlp_mixer import mixer_like
from tests.oracle import FOLDER, Oracle

ORACLE = "mixer_timm_base"


@pytest.fixture(scope="module")
def oracle():
    return Oracle(ORACLE)


@pytest.fixture(scope="module")
def command(oracle, tmp_path_factory):
    """The command line that converts the oracle's weights, without `--output`."""
    path = oracle.write_checkpoint(tmp_path_factory.mktemp("published"), ".safetensors")
    model = mixer_like(oracle)
    names = ("patch_size", "num_layers", "hidden_dim", "token_mlp_dim", "channel_mlp_dim")
    arguments = [f"{name}={getattr(model, name)}" for name in (*names, "num_classes")]
    arguments.append(f"image_shape={list(model.image_shape)}")
    options = [part for each in arguments for part in ("--argument", each)]
    return [str(path), "--architecture", "MLPMixer", *options]


def failure(arguments, capsys):
    """The error line of a program that fails."""
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code != 0
    return capsys.readouterr().err


def test_a_file_becomes_a_folder_whose_card_tells_the_measured_difference(
    oracle, command, tmp_path, capsys
):
    output = tmp_path / "mixer"
    reference = FOLDER / f"{ORACLE}.npz"
    main([*command, "--output", str(output), "--reference", str(reference)])
    assert capsys.readouterr().out.splitlines()[-1] == str(output)
    assert sorted(each.name for each in output.iterdir()) == [
        "README.md",
        "golden.npz",
        "model.keras",
        "saved_model",
    ]
    assert [each.name for each in tmp_path.iterdir()] == ["mixer"]
    model = keras.saving.load_model(output / "model.keras")
    card = (output / "README.md").read_text()

    oracle.check(predict(model, 127.5 * (oracle.x + 1)))  # pixels that become x
    bare = mixer_like(oracle)  # takes x
    bare.set_weights(model.get_weights())
    computed = np.abs(predict(bare, oracle.x) - oracle.arrays["y"]).max()
    assert f"`{ORACLE}.npz`" in card and f"by at most {computed:.3e}." in card
    digest = hashlib.sha256(pathlib.Path(command[0]).read_bytes()).hexdigest()
    assert f"`weights.safetensors`, SHA-256 `{digest}`" in card
    assert f"| parameters | {model.count_params():,} |" in card
    assert "mean 0.5, deviation 0.5, of pixels in [0, 1]" in card

    with np.load(output / "golden.npz") as golden:
        images, outputs = golden["images"], golden["outputs"]
    assert images.dtype == "uint8"
    np.testing.assert_array_equal(predict(model, images), outputs)
    first = re.search(r"the first begins with (\S+),", card)[1]
    assert float(first) == pytest.approx(outputs[0, 0], rel=1e-5)
    served = tf.saved_model.load(str(output / "saved_model"))(tf.constant(images))
    np.testing.assert_allclose(served, outputs, rtol=0, atol=1e-5)


def write_reference(path, oracle, shift=0.0, **names):
    names = {"x": oracle.x, "y": oracle.arrays["y"] + shift} | names
    np.savez(path, **names)
    return str(path)


def test_a_wrong_reference_stops_it_and_leaves_nothing(oracle, command, tmp_path, capsys):
    reference = write_reference(tmp_path / "wrong.npz", oracle, shift=1e-3)
    output = tmp_path / "mixer"
    message = failure([*command, "--output", str(output), "--reference", reference], capsys)
    assert "error: The logits differ from the reference's by 1.0e-03" in message
    assert [each.name for each in tmp_path.iterdir()] == ["wrong.npz"]


@pytest.mark.parametrize(
    ("arrays", "part"),
    [
        ({"a": np.zeros(3)}, "must hold `images` and `logits`, or `x` and `y`; it holds a."),
        ({"x": np.zeros((2, 3, 3, 3)), "y": np.zeros((2, 5))}, "reference's images have shape"),
    ],
)
def test_a_reference_that_does_not_fit_is_refused(arrays, part, command, tmp_path, capsys):
    np.savez(tmp_path / "r.npz", **arrays)
    output = tmp_path / "mixer"
    line = [*command, "--output", str(output), "--reference", str(tmp_path / "r.npz")]
    assert part in failure(line, capsys)
    assert not output.exists()


def test_damaged_and_missing_references_are_told_apart(tmp_path):
    (tmp_path / "r.npz").write_bytes(b"PK")
    with pytest.raises(ValueError, match="cannot be read"):
        read_reference(tmp_path / "r.npz")
    with pytest.raises(FileNotFoundError, match="no reference file"):
        read_reference(tmp_path / "absent.npz")


def test_reads_pixels_and_logits(tmp_path):
    np.savez(tmp_path / "r.npz", images=np.zeros((1, 2, 2, 3), "uint8"), logits=np.ones((1, 4)))
    reference = read_reference(tmp_path / "r.npz")
    assert reference.images.dtype == "uint8" and not reference.normalized


def test_only_what_was_converted_before_is_replaced(command, tmp_path, capsys):
    output = tmp_path / "mixer"
    output.mkdir()
    (output / "mine.txt").write_text("mine")
    line = [*command, "--output", str(output)]
    assert f"{output} already exists; `--overwrite` replaces it." in failure(line, capsys)
    assert "holds no model.keras" in failure([*line, "--overwrite"], capsys)
    assert (output / "mine.txt").read_text() == "mine"
    (output / "model.keras").write_text("old")
    main([*line, "--overwrite"])
    assert not (output / "mine.txt").exists()
    assert "No reference outputs were given" in (output / "README.md").read_text()
    assert [each.name for each in tmp_path.iterdir()] == ["mixer"]


def test_a_preset_is_converted_from_a_file_at_hand(tmp_path, monkeypatch):
    model = with_random_weights(MLPMixer.from_variant("pico/2", num_classes=7))
    path = save_checkpoint(model, tmp_path / "w.safetensors")
    row = dataclasses.replace(
        find_preset("mixer_b16_224.goog_in21k"),
        name="toy.in21k",
        variant="pico/2",
        num_classes=7,
        image_size=8,
        gelu_approximate=False,
    )
    monkeypatch.setitem(catalogue._PRESETS, row.name, row)
    convert(Source(row.name, file=path), tmp_path / "out")
    copy = keras.saving.load_model(tmp_path / "out" / "model.keras")
    images = some_pixels(model)
    np.testing.assert_array_equal(predict(copy, images), predict(model, images))
    text = (tmp_path / "out" / "README.md").read_text()
    assert "MLPMixer pico/2, `toy.in21k`" in text and "`w.safetensors`, SHA-256" in text


def test_the_card_of_a_preset_has_the_facts_of_its_row():
    row = find_preset("mixer_b16_224.goog_in21k_ft_in1k")
    text = card(
        MLPMixer.from_variant("pico/2", gelu_approximate=True),
        title="mixer",
        preset=row,
        source_name="w.pth",
        source_sha256="ab",
        difference=None,
        reference=None,
        golden=np.zeros((1, 5)),
    )
    for fact in (row.name, row.url, row.note, "76.616 % (timm)", "| licence | Apache-2.0 |"):
        assert fact in text
    assert "| GELU | tanh approximation |" in text and "| central crop | 0.875 |" in text


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["nothing.safetensors"], "`preset`='nothing.safetensors' is not the name"),
        ([__file__], "is a file: it needs `--architecture`."),
        (["w.npz", "--architecture", "Mixer", "--variant", "B/16"], "Did you mean 'MLPMixer'?"),
        (
            ["w.npz", "--architecture", "MLPMixer", "--variant", "B/16"],
            "no checkpoint file at w.npz",
        ),
        (["w.npz", "--variant", "B/16"], "`--variant` 'B/16' needs `--architecture`."),
        (["w.npz", "--architecture", "MLPMixer", "--file", "a"], "`--file` is for a preset"),
        (["w.npz", "--argument", "num_classes"], "must be NAME=VALUE with a JSON value"),
    ],
)
def test_bad_command_lines_end_in_one_clear_error(options, part, tmp_path, capsys):
    message = failure([*options, "--output", str(tmp_path / "out")], capsys)
    assert part in message and message.startswith("error: ")
    assert not list(tmp_path.iterdir())


def test_another_backend_is_refused_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RuntimeError, match="TensorFlow backend"):
        convert(Source("absent"), tmp_path / "out")
