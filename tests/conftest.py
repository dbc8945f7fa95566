"""What every test starts from: quiet TensorFlow, one seed, and Keras' own global dtype policy."""

import gc
import os
import pathlib
from unittest import mock

# Both are read when the library loads, in the processes that tests start too.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Compiling takes most of the time of the tests on JAX, and optimising most of that.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

import keras
import pytest
import tensorflow as tf

_collected_at = 0  # bytes of this process after the last collection of garbage


@pytest.fixture(autouse=True, scope="module")
def same_start_of_a_file():
    """Seeds TensorFlow's random operations, the only ones that the seed of each test leaves out."""
    keras.utils.set_random_seed(0)


@pytest.fixture(autouse=True)
def same_start(same_start_of_a_file):
    """Seeds Python, numpy and Keras; fails a test that changes the global dtype policy."""
    # TensorFlow's seed empties its cache of kernels: each test would have to fill it again.
    with mock.patch.object(tf.random, "set_seed"):
        keras.utils.set_random_seed(0)
    yield
    policy = keras.config.dtype_policy().name
    keras.config.set_dtype_policy("float32")
    assert policy == "float32", f"the test left the global dtype policy at {policy}"


def pytest_collection_modifyitems(items):
    """Starts with the files that have slow tests: one that is left to the end keeps a core idle."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish(session):
    """Keeps Python's garbage collector from taking two fifths of the time.

    It walks every object in the process, hundreds of times. Most of them are TensorFlow's and live
    as long as the process: frozen ones are not walked.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item, nextitem):
    """Collects garbage once the process has grown by 256 MiB, and after each sweep.

    Models are in reference cycles, and those of sweeps are large: two workers must fit the memory.
    Keras and TensorFlow collect garbage themselves, Keras once for every layer that it quantizes:
    each of those collections walks all objects that are not frozen.
    """
    global _collected_at
    result = yield
    is_last_of_file = nextitem is not None and nextitem.path != item.path
    has_grown = is_last_of_file and _resident_bytes() > _collected_at + 2**28
    if has_grown or item.get_closest_marker("sweep"):
        gc.collect()
    if has_grown:
        gc.freeze()
        _collected_at = _resident_bytes()
    return result


def _resident_bytes():
    """The memory of this process; 0 where Linux does not say it."""
    try:
        pages = int(pathlib.Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
