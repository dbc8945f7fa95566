"""Ctrl-C in the programs of this package.

`training.engine.interruption` does the same for the other programs and does not share this code: it
must not import `keras_mlp`, which loads Keras, and this package does not import `training`.
"""

import signal
import sys
import types
from typing import NoReturn

BY_CTRL_C = 130  # 128 + SIGINT, as shells count


def end_on_ctrl_c() -> None:
    """From now on Ctrl-C ends this program with one line and exit code 130, without a traceback.

    What the program was writing is removed first. A second Ctrl-C ends it at once.
    """
    signal.signal(signal.SIGINT, _say_and_end)
    sys.unraisablehook = _end_later


def _say_and_end(number: int, frame: types.FrameType | None) -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    print("\nEnded by Ctrl-C. What was written before is whole.", file=sys.stderr, flush=True)
    _end()


def _end(number: int | None = None, frame: types.FrameType | None = None) -> NoReturn:
    sys.exit(BY_CTRL_C)


def _end_later(ignored: "sys.UnraisableHookArgs") -> None:
    """Ends the program a little later if Ctrl-C came in code whose exceptions Python ignores.

    Such as destructors, and what JAX calls at every garbage collection.
    """
    if not isinstance(ignored.exc_value, SystemExit):
        sys.__unraisablehook__(ignored)
    elif hasattr(signal, "setitimer"):  # Windows does not have it
        signal.signal(signal.SIGALRM, _end)
        signal.setitimer(signal.ITIMER_REAL, 0.1)
