"""What programs show on the terminal: their own warnings, without known noise of TensorFlow's.

`TF_CPP_MIN_LOG_LEVEL=0` in the environment shows everything.
"""

import contextlib
import logging
import os
import pathlib
import sys
from collections.abc import Iterator

# A driver that is there and fails is worth a message; its absence is not.
_NVIDIA_DRIVERS = (pathlib.Path("/proc/driver/nvidia"), pathlib.Path("/dev/dxg"))  # Linux, WSL
_NO_DRIVER = b"failed call to cuInit"
# TFDS says this of the folder of another process that is preparing the dataset.
_UNFINISHED_DATASET = "Variant folder %s has"


@contextlib.contextmanager
def many_models() -> Iterator[None]:
    """Inside the `with` block TensorFlow does not warn of a function that is traced often.

    Each model has a step function of its own, and TensorFlow warns of the fifth.
    """
    logger = logging.getLogger("tensorflow")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def set_up_terminal() -> None:
    """Sets up logging; called once by a program, before it uses a backend."""
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0":
        return
    logging.getLogger("absl").addFilter(
        lambda record: not str(record.msg).startswith(_UNFINISHED_DATASET)
    )
    if "tensorflow" in sys.modules and not any(path.exists() for path in _NVIDIA_DRIVERS):
        import tensorflow as tf

        from keras_mlp.stderr_noise import stderr_without

        with stderr_without(_NO_DRIVER):
            tf.config.list_physical_devices()  # TensorFlow looks for GPUs once
