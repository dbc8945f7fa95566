"""How programs end: with one line that says what is wrong, or that they can go on."""

import contextlib
import sys
from collections.abc import Iterator

from training.command_line import end_with_error
from training.engine.interruption import RESUMABLE, Interrupted, LostWorker, leave_resumable


@contextlib.contextmanager
def clear_end(*more: type[Exception]) -> Iterator[None]:
    """Ends the program without a traceback if the work inside the `with` block fails for a reason.

    Errors in what the user gave end it with one line and exit code 1. A run that was interrupted,
    or lost a worker, ends it with the code that says that the same command continues it.

    Args:
        more: types of errors that say enough, besides ValueError, FloatingPointError and OSError.
    """
    expected: tuple[type[Exception], ...] = (ValueError, FloatingPointError, OSError, *more)
    try:
        yield
    except Interrupted:
        leave_resumable()
    except LostWorker as error:
        print(error, file=sys.stderr)
        sys.exit(RESUMABLE)
    except expected as error:
        end_with_error(error)
