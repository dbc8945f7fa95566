"""Another function in place of one of this package, inside a `with` block."""

import contextlib
import contextvars
from collections.abc import Iterator
from typing import TypeVar

_T = TypeVar("_T")


@contextlib.contextmanager
def replaced(current: contextvars.ContextVar[_T | None], by: _T | None) -> Iterator[None]:
    """Sets a context variable; afterwards it has the value from before.

    That holds per thread: MirroredStrategy traces each replica in a thread of its own.
    """
    token = current.set(by)
    try:
        yield
    finally:
        current.reset(token)
