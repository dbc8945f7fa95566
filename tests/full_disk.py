"""A disk that is full, as far as this process can tell."""

import contextlib
import signal
from collections.abc import Iterator

import pytest


@contextlib.contextmanager
def full_disk(limit: int = 1000) -> Iterator[None]:
    """Lets no file grow beyond `limit` bytes in the block; skips the test on Windows."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that writes fail instead
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
