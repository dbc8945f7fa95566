"""How a run ends when it is asked to: it saves and says that it can be resumed."""

import os
import signal
import socket
import sys
import threading
import types
import typing

RESUMABLE = 75  # EX_TEMPFAIL of sysexits.h: try again
BY_CTRL_C = 130  # 128 + SIGINT, as shells count


class Interrupted(Exception):
    """The run was asked to end; its state was saved."""


class LostWorker(Exception):
    """Another process of the run is gone, and this one cannot continue without it."""


def leave_resumable() -> typing.NoReturn:
    """Ends the process with the exit code that says that the same command continues the run."""
    print("Asked to end: a checkpoint was saved; the same command continues from it.")
    sys.exit(RESUMABLE)


def end_on_ctrl_c() -> None:
    """From now on Ctrl-C ends this program with one line and exit code 130, without a traceback.

    For the time before and after training, in which there is nothing to save. Programs call it
    before they import TensorFlow.
    """

    def end(number: int, frame: types.FrameType | None) -> None:
        print("\nEnded by Ctrl-C. What was written before is whole.", file=sys.stderr)
        raise SystemExit(BY_CTRL_C)

    signal.signal(signal.SIGINT, end)


class StopSignal:
    """Inside a `with` block, SIGTERM and Ctrl-C do not end the process but are noted.

    A second Ctrl-C ends it at once, with exit code 130. Python runs its own handlers between two
    steps only, which may be minutes away: a thread of this class sees the signals at once.

    Attributes:
        noted: whether SIGTERM or SIGINT was received.
    """

    def __init__(self) -> None:
        self.noted = False
        self._before: dict[int, typing.Any] = {}

    def __enter__(self) -> "StopSignal":
        if threading.current_thread() is not threading.main_thread():
            return self  # only the main thread may set a handler
        self._woken, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        self._wakeup_before = signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._watch, args=(self._woken,), daemon=True)
        self._thread.start()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        if self._before:
            signal.set_wakeup_fd(self._wakeup_before)
            self._waker.close()  # ends the thread
            self._thread.join()
            self._woken.close()

    def _note(self, number: int, frame: types.FrameType | None) -> None:
        self.noted = True

    @staticmethod
    def _watch(woken: socket.socket) -> None:
        """Says what Ctrl-C does, and ends the process at the second one."""
        presses = 0
        while received := woken.recv(1):  # the number of a signal
            if received[0] != signal.SIGINT:
                continue
            presses += 1
            if presses > 1:
                print("\nEnded by the second Ctrl-C.", file=sys.stderr, flush=True)
                os._exit(BY_CTRL_C)
            print(
                "\nCtrl-C: saving a checkpoint after the present steps; Ctrl-C again ends at once.",
                file=sys.stderr,
                flush=True,
            )
