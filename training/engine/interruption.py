"""What a run does when it is asked to end: save, and say that it can be resumed."""

import signal
import sys

from training.engine.tensorflow.strategies import total

RESUMABLE = 75  # EX_TEMPFAIL of sysexits.h: try again


class Interrupted(Exception):
    """The run was asked to end; its state was saved."""


def leave_resumable():
    """Ends the process with the exit code that says that the same command goes on."""
    print("Asked to end: a checkpoint was saved; the same command goes on from it.")
    sys.exit(RESUMABLE)


class StopSignal:
    """Notes a SIGTERM, which does not end the process any more, inside of a `with` block.

    An orbit action: after each loop of steps all hosts agree whether one of them was asked to end.

    Args:
        strategy: of the run.
    """

    def __init__(self, strategy):
        self.strategy = strategy
        self.noted = False

    def __enter__(self):
        try:
            self.before = signal.signal(signal.SIGTERM, self._note)
        except ValueError:  # not the main thread, which alone may do this
            self.before = None
        return self

    def __exit__(self, *exception):
        if self.before is not None:
            signal.signal(signal.SIGTERM, self.before)

    def _note(self, number, frame):
        self.noted = True

    def __call__(self, outputs):
        if total(self.strategy, float(self.noted)):
            raise Interrupted
