"""What programs show on the terminal: their own warnings, without known noise of TensorFlow's.

`TF_CPP_MIN_LOG_LEVEL=0` in the environment shows everything.
"""

import contextlib
import logging
import os
import pathlib
import sys
import tempfile
from collections.abc import Iterator

# A driver that is there and fails is worth a message; its absence is not.
_NVIDIA_DRIVERS = (pathlib.Path("/proc/driver/nvidia"), pathlib.Path("/dev/dxg"))  # Linux, WSL
_NO_DRIVER = b"failed call to cuInit"
# TFDS says this of the folder of another process that is preparing the dataset.
_UNFINISHED_DATASET = "Variant folder %s has"


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

        with _without(_NO_DRIVER):
            tf.config.list_physical_devices()  # TensorFlow looks for GPUs once


@contextlib.contextmanager
def _without(noise: bytes) -> Iterator[None]:
    """Shows what the block writes to stderr when it ends, without the lines that contain `noise`.

    C++ code writes to the file descriptor, past `sys.stderr`.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as caught:
        stderr = os.dup(2)
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            caught.seek(0)
            for line in caught:
                if noise not in line:
                    os.write(2, line)
