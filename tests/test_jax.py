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
import jax, keras, numpy, keras_mlp
for path in sys.argv[1:]:
    model = keras.models.load_model(path + ".keras")
    # Compiling a model is quicker than compiling each of its operations.
    logits = jax.jit(lambda images: model(images, training=False))(numpy.load(path + ".npy"))
    numpy.save(path + "_jax.npy", numpy.asarray(logits))
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
    for _ in range(3):  # where the machine is busy, once is not enough to tell
        answer = json.loads(run_on_jax(IMPORT))
        assert answer["backend"] == "jax" and not answer["tensorflow"]
        if answer["seconds"] < 0.5:  # beyond `import keras`
            return
    pytest.fail(f"the import took {answer['seconds']} s")


@pytest.fixture(scope="module")
def logits(tmp_path_factory):
    """From an architecture to its logits on TensorFlow and on JAX; one process for all."""
    folder, found = tmp_path_factory.mktemp("jax"), {}
    for architecture in ARCHITECTURES:
        model = with_random_weights(factory(architecture)())
        images = some_pixels(model)
        model.save(folder / f"{architecture}.keras")
        np.save(folder / f"{architecture}.npy", images)
        found[architecture] = predict(model, images)
    run_on_jax(PREDICT, *(folder / architecture for architecture in found))
    return {name: (each, np.load(folder / f"{name}_jax.npy")) for name, each in found.items()}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_logits_equal_tensorflows(architecture, logits):
    on_tensorflow, on_jax = logits[architecture]
    np.testing.assert_allclose(on_jax, on_tensorflow, rtol=0, atol=1e-5)
