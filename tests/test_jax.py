"""On the JAX backend: no TensorFlow, a light import, and the same numbers as on TensorFlow."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from tests.contract import predict, some_pixels, with_random_weights
from tests.test_contract import ARCHITECTURES, factory

ROOT = pathlib.Path(__file__).parent.parent

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="jax is not installed"
)

IMPORT = """
import json, sys, time
import keras
start = time.perf_counter()
import keras_mlp
seconds = time.perf_counter() - start
answer = {"backend": keras.backend.backend(), "seconds": seconds}
print(json.dumps({**answer, "tensorflow": "tensorflow" in sys.modules}))
"""

PREDICT = """
import sys
import keras, numpy, keras_mlp
model = keras.models.load_model(sys.argv[1] + ".keras")
logits = model(numpy.load(sys.argv[1] + ".npy"), training=False)
numpy.save(sys.argv[1] + "_jax.npy", numpy.asarray(logits))
assert keras.backend.backend() == "jax" and "tensorflow" not in sys.modules
"""


def run_on_jax(code, *arguments):
    """The last line that a fresh Python on the JAX backend prints."""
    finished = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.strip().rpartition("\n")[-1]


def test_import_is_light_and_without_tensorflow():
    answers = [json.loads(run_on_jax(IMPORT)) for _ in range(3)]
    assert {answer["backend"] for answer in answers} == {"jax"}
    assert not any(answer["tensorflow"] for answer in answers)
    assert min(answer["seconds"] for answer in answers) < 0.5  # beyond `import keras`


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_logits_equal_tensorflows(architecture, tmp_path):
    model = with_random_weights(factory(architecture)())
    images = some_pixels(model)
    model.save(tmp_path / "toy.keras")
    np.save(tmp_path / "toy.npy", images)
    run_on_jax(PREDICT, tmp_path / "toy")
    logits = np.load(tmp_path / "toy_jax.npy")
    np.testing.assert_allclose(logits, predict(model, images), rtol=0, atol=1e-5)
