"""How a run ends when it is asked to: it saves and says that it can be resumed."""

import signal
import sys
import types
import typing

RESUMABLE = 75  # EX_TEMPFAIL of sysexits.h: try again


class Interrupted(Exception):
    """The run was asked to end; its state was saved."""


class LostWorker(Exception):
    """Another process of the run is gone, and this one cannot continue without it."""


def leave_resumable() -> typing.NoReturn:
    """Ends the process with the exit code that says that the same command continues the run."""
    print("Asked to end: a checkpoint was saved; the same command continues from it.")
    sys.exit(RESUMABLE)


class StopSignal:
    """Inside a `with` block, SIGTERM does not end the process but is noted.

    Attributes:
        noted: whether SIGTERM was received.
    """

    def __init__(self) -> None:
        self.noted = False

    def __enter__(self) -> "StopSignal":
        try:
            self.before = signal.signal(signal.SIGTERM, self._note)
        except ValueError:  # only the main thread may set a handler
            self.before = None
        return self

    def __exit__(self, *exception: object) -> None:
        if self.before is not None:
            signal.signal(signal.SIGTERM, self.before)

    def _note(self, number: int, frame: types.FrameType | None) -> None:
        self.noted = True
