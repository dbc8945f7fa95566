"""How a run ends when it is asked to: it saves and says that it can be resumed."""

import contextlib
import os
import signal
import socket
import sys
import threading
import types
import typing
from collections.abc import Callable

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


class _SignalThread:
    """Runs a function in a thread that sees signals at once, whatever the main thread does.

    Python runs its own handlers in the main thread between two instructions only. A call of
    TensorFlow that makes many steps is one instruction.

    Args:
        watch: function of a socket, which receives the number of each signal as a byte.
    """

    def __init__(self, watch: Callable[[socket.socket], None]) -> None:
        self.woken, self.waker = socket.socketpair()
        self.waker.setblocking(False)
        self.before = signal.set_wakeup_fd(self.waker.fileno(), warn_on_full_buffer=False)
        self.thread = threading.Thread(target=watch, args=(self.woken,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        signal.set_wakeup_fd(self.before)
        self.waker.close()  # ends the thread
        self.thread.join()
        self.woken.close()


def _wait_for_ctrl_c(woken: socket.socket) -> bool:
    """Whether Ctrl-C came; False if the socket was closed."""
    while received := woken.recv(1):
        if received[0] == signal.SIGINT:
            return True
    return False


def _say(text: str) -> None:
    print(f"\n{text}", file=sys.stderr, flush=True)


_open_until_the_end: list[_SignalThread] = []


def end_program_on_ctrl_c() -> None:
    """`end_on_ctrl_c`, if Python is looking for the program of `python -m` right now.

    For the `__init__.py` of packages of programs: it covers all of them, before they import
    anything. In a process that only imports such a package, nothing changes.
    """
    if sys.argv[:1] == ["-m"]:
        end_on_ctrl_c()


def end_on_ctrl_c(patience: float = 10.0) -> None:
    """From now on Ctrl-C ends this program with one line and exit code 130, without a traceback.

    For the time before and after training, in which there is nothing to save. Programs call it
    before they import TensorFlow. (`keras_mlp.interruption` is for the programs of that package;
    importing it loads Keras.)

    Args:
        patience: seconds for the program to clean up. After them, or at a second Ctrl-C, the
            process ends without: it may be in a long call, or a library may have caught what ends
            it.
    """

    said = threading.Lock()

    def say_once() -> None:
        if said.acquire(blocking=False):
            _say("Ended by Ctrl-C. What was written before is whole.")

    def watch(woken: socket.socket) -> None:
        if _wait_for_ctrl_c(woken):
            say_once()
            woken.settimeout(patience)
            with contextlib.suppress(TimeoutError):
                _wait_for_ctrl_c(woken)
            os._exit(BY_CTRL_C)

    def end(number: int, frame: types.FrameType | None) -> None:
        say_once()  # the process may be gone before the thread comes to it
        raise SystemExit(BY_CTRL_C)

    def end_later(ignored: "sys.UnraisableHookArgs") -> None:
        """For Ctrl-C in code whose exceptions Python ignores: destructors, collector callbacks."""
        if not isinstance(ignored.exc_value, SystemExit):
            sys.__unraisablehook__(ignored)
        elif hasattr(signal, "setitimer"):  # Windows does not have it
            signal.signal(signal.SIGALRM, end)
            signal.setitimer(signal.ITIMER_REAL, 0.1)

    signal.signal(signal.SIGINT, end)
    sys.unraisablehook = end_later
    _open_until_the_end.append(_SignalThread(watch))


class StopSignal:
    """Inside a `with` block, SIGTERM and Ctrl-C do not end the process but are noted.

    A second Ctrl-C ends it at once, with exit code 130.

    Attributes:
        noted: whether SIGTERM or SIGINT was received.
    """

    def __init__(self) -> None:
        self.noted = False
        self._before: dict[int, typing.Any] = {}

    def __enter__(self) -> "StopSignal":
        if threading.current_thread() is threading.main_thread():  # others may not set handlers
            self._thread = _SignalThread(_end_at_the_second_ctrl_c)
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        if self._before:
            self._thread.close()

    def _note(self, number: int, frame: types.FrameType | None) -> None:
        self.noted = True


def _end_at_the_second_ctrl_c(woken: socket.socket) -> None:
    if _wait_for_ctrl_c(woken):
        _say("Ctrl-C: saving a checkpoint after the present steps; Ctrl-C again ends at once.")
        if _wait_for_ctrl_c(woken):
            _say("Ended by the second Ctrl-C.")
            os._exit(BY_CTRL_C)
