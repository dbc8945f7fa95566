"""What every test starts from: quiet TensorFlow, one seed, and Keras' own global dtype policy."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow loads: before any import

import keras
import pytest


@pytest.fixture(autouse=True)
def same_start():
    """Seeds Python, numpy and Keras; fails a test that changes the global dtype policy."""
    keras.utils.set_random_seed(0)
    yield
    policy = keras.config.dtype_policy().name
    keras.config.set_dtype_policy("float32")
    assert policy == "float32", f"the test left the global dtype policy at {policy}"
