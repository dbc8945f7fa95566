"""Known noise of TensorFlow's C++ code, left out of stderr.

`TF_CPP_MIN_LOG_LEVEL=0` in the environment shows everything.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def stderr_without(*noise: bytes) -> Iterator[None]:
    """Shows what the block writes to stderr when it ends, without the lines that contain noise.

    C++ code writes to the file descriptor, past `sys.stderr`.

    Args:
        *noise: parts of lines. A line with any of them is left out.
    """
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0" or not _is_open(2):
        yield
        return
    if sys.stderr is not None:
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
                if not any(part in line for part in noise):
                    os.write(2, line)


def _is_open(descriptor: int) -> bool:
    """Whether a file descriptor is open: services may close stderr."""
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
