"""The signatures, shown and run by TensorFlow's own `saved_model_cli`, as a server runs them."""

import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from keras_mlp import export_saved_model
from tests.export.toys import some_pixels, toy

CLI = pathlib.Path(sys.executable).with_name("saved_model_cli")
PIXELS = some_pixels(3)
INPUTS = {
    "serving_default": ("images", "DT_FLOAT", PIXELS.astype("float32") / 255),
    "serving_uint8": ("pixels", "DT_UINT8", PIXELS),
    "serving_bytes": (
        "encoded",
        "DT_STRING",
        np.array([tf.io.encode_png(each).numpy() for each in PIXELS]),
    ),
}


def saved_model_cli(*arguments):
    finished = subprocess.run([CLI, *map(str, arguments)], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def model():
    return toy()


@pytest.fixture(scope="module")
def path(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "toy"
    return export_saved_model(model, folder, features=["block_0"])


@pytest.mark.slow
def test_show_tells_names_dtypes_and_shapes(path):
    text = saved_model_cli("show", "--dir", path, "--all")
    signatures = dict(re.findall(r"signature_def\['(serving\w+)'\]:(.*?)Method name", text, re.S))
    assert signatures.keys() == {*INPUTS, "serving_features"}
    for name, (argument, dtype, array) in INPUTS.items():
        taken, given = signatures[name].split(
            "The given SavedModel SignatureDef contains the following output(s):"
        )
        shape = (-1, *array.shape[1:])
        assert f"inputs['{argument}'] tensor_info:" in taken
        assert f"dtype: {dtype}" in taken and f"shape: {shape}".replace(",)", ")") in taken
        assert "outputs['logits'] tensor_info:" in given
        assert "dtype: DT_FLOAT" in given and "shape: (-1, 3)" in given
    assert "outputs['block_0'] tensor_info:" in signatures["serving_features"]


@pytest.mark.slow
@pytest.mark.parametrize("signature", INPUTS)
def test_run_gives_the_models_outputs(model, path, signature, tmp_path):
    argument, _, array = INPUTS[signature]
    np.save(tmp_path / "in.npy", array)
    order = ["--tag_set", "serve", "--signature_def", signature]
    order += ["--inputs", f"{argument}={tmp_path / 'in.npy'}", "--outdir", tmp_path]
    saved_model_cli("run", "--dir", path, *order)
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), model(PIXELS), rtol=0, atol=1e-5)
