"""Simulates a full disk for this process."""

import contextlib
import signal
from collections.abc import Iterator

import pytest


@contextlib.contextmanager
def full_disk(limit: int = 1000) -> Iterator[None]:
    """Inside the block, no file can grow beyond `limit` bytes; skips the test on Windows."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that writes raise an error instead
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
