"""The signatures, shown and run by TensorFlow's own `saved_model_cli`, as a server runs them."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from keras_mlp import export_saved_model
from tests.export.toys import some_pixels, toy

# What the script `saved_model_cli` runs, in a fork for each list of words: importing TensorFlow
# takes seconds, and starts nothing that a fork would lack.
CLI = """
import json, os, sys
from tensorflow.python.tools import saved_model_cli
for words in json.loads(sys.argv[1]):
    if not os.fork():
        sys.argv = ["saved_model_cli", *words]
        sys.exit(saved_model_cli.main())
    assert os.wait()[1] == 0, words
"""
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


@pytest.fixture(scope="module")
def model():
    return toy()


@pytest.fixture(scope="module")
def path(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "toy"
    return export_saved_model(model, folder, features=["block_0"])


@pytest.fixture(scope="module")
def answers(path, tmp_path_factory):
    """What `show` prints, and the folder in which `run` leaves a folder for each signature."""
    folder = tmp_path_factory.mktemp("answers")
    orders = [["show", "--dir", path, "--all"]]
    for signature, (argument, _, array) in INPUTS.items():
        file = folder / f"{signature}.npy"
        np.save(file, array)
        order = ["run", "--dir", path, "--tag_set", "serve", "--signature_def", signature]
        orders.append(
            [*order, "--inputs", f"{argument}={file}", "--outdir", str(folder / signature)]
        )
    finished = subprocess.run(
        [sys.executable, "-c", CLI, json.dumps(orders, default=str)],
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout, folder


@pytest.mark.slow
def test_show_tells_names_dtypes_and_shapes(answers):
    text, _ = answers
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
def test_run_gives_the_models_outputs(model, answers, signature):
    logits = np.load(answers[1] / signature / "logits.npy")
    np.testing.assert_allclose(logits, model(PIXELS), rtol=0, atol=1e-5)
