"""What a run does when it is asked to end: save, and say that it can be resumed."""

import signal
import sys
import types
import typing

RESUMABLE = 75  # EX_TEMPFAIL of sysexits.h: try again


class Interrupted(Exception):
    """The run was asked to end; its state was saved."""


class LostWorker(Exception):
    """Another process of the run is gone, and this one cannot go on without it."""


def leave_resumable() -> typing.NoReturn:
    """Ends the process with the exit code that says that the same command goes on."""
    print("Asked to end: a checkpoint was saved; the same command goes on from it.")
    sys.exit(RESUMABLE)


class StopSignal:
    """Notes a SIGTERM, which does not end the process any more, inside of a `with` block.

    Attributes:
        noted: whether one came.
    """

    def __init__(self) -> None:
        self.noted = False

    def __enter__(self) -> "StopSignal":
        try:
            self.before = signal.signal(signal.SIGTERM, self._note)
        except ValueError:  # not the main thread, which alone may do this
            self.before = None
        return self

    def __exit__(self, *exception: object) -> None:
        if self.before is not None:
            signal.signal(signal.SIGTERM, self.before)

    def _note(self, number: int, frame: types.FrameType | None) -> None:
        self.noted = True
