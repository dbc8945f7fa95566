"""python -m keras_mlp.export."""

import os
import subprocess
import sys

import keras
import pytest

from keras_mlp import RepMLPNet, SavedModelLayer, saved_model_info
from keras_mlp.export.__main__ import main
from tests.contract import predict, some_pixels, with_random_weights


@pytest.fixture(scope="module")
def model():
    return with_random_weights(RepMLPNet.from_variant("pico/2", num_classes=2))


@pytest.fixture(scope="module")
def source(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    model.save(folder / "model.keras")
    return folder


def test_a_saved_model_is_written_with_its_labels(model, source, tmp_path, capsys):
    labels, output = tmp_path / "labels.txt", tmp_path / "saved"
    labels.write_text("cat\ndog\n")
    main([str(source), "--output", str(output), "--labels", str(labels), "--deployed"])
    assert capsys.readouterr().out == f"{output}\n"
    info = saved_model_info(output)
    assert info["class_names"] == ["cat", "dog"] and info["output"] == "logits"
    pixels = some_pixels(model, batch=2)
    inputs = keras.Input(pixels.shape[1:], dtype="uint8")
    found = keras.Model(inputs, SavedModelLayer(output)(inputs))
    assert predict(found, pixels) == pytest.approx(predict(model, pixels), abs=1e-4)


def test_a_program_prints_nothing_but_its_result(source, tmp_path):
    """Without the log level that conftest.py sets, as on a user's terminal."""
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    command = [sys.executable, "-m", "keras_mlp.export", str(source)]
    done = subprocess.run(
        [*command, "--output", str(tmp_path / "saved")],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == (f"{tmp_path / 'saved'}\n", "")


def test_what_the_library_refuses_is_one_line(source, tmp_path, capsys):
    output = tmp_path / "saved"
    with pytest.raises(SystemExit, match="1"):
        main([str(source), "--output", str(output), "--features", "block_99"])
    printed = capsys.readouterr().err
    assert printed.startswith("error: ") and "block_99" in printed and printed.count("\n") == 1
    assert not output.exists()


def test_labels_that_are_not_text_are_named(source, tmp_path, capsys):
    (tmp_path / "labels").write_bytes(b"\xff\xfe")
    with pytest.raises(SystemExit, match="1"):
        main([str(source), "--output", str(tmp_path / "s"), "--labels", str(tmp_path / "labels")])
    assert capsys.readouterr().err.startswith(f"error: `--labels` {tmp_path}/labels must be UTF-8")
