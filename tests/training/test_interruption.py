"""SIGTERM and Ctrl-C: noted inside a run, one line elsewhere."""

import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import threading

import pytest

from training.engine.interruption import BY_CTRL_C, RESUMABLE, StopSignal
from training.launch import supervise

INTERRUPTION = pathlib.Path(__file__).parents[2] / "keras_mlp" / "interruption.py"
# Python ignores what is raised there, as in what JAX calls at every garbage collection.
IN_A_DESTRUCTOR = "class A:\n    def __del__(self): time.sleep(20)\nA()\ntime.sleep(20)"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_noted_and_the_handlers_come_back(number):
    before = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]
    with StopSignal() as stop:
        assert not stop.noted
        os.kill(os.getpid(), number)
        assert stop.noted
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)] == before
    assert signal.set_wakeup_fd(-1) == -1


def ended(code, signals):
    """Exit code and stderr of a process that prints "ready" and then gets signals."""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        for number in range(signals):
            if number:
                # The first one was seen, though the main thread does not come back to Python.
                assert process.stderr.readline() == "\n"
                assert "Ctrl-C again ends at once" in process.stderr.readline()
            process.send_signal(signal.SIGINT)
        return process.wait(30), process.stderr.read()


def test_a_second_ctrl_c_ends_at_once_in_the_middle_of_a_long_step():
    code = (
        "import hashlib\n"
        "from training.engine.interruption import StopSignal\n"
        "with StopSignal():\n"
        "    print('ready', flush=True)\n"
        "    hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)\n"  # minutes, all of them in C
    )
    exit_code, stderr = ended(code, 2)
    assert exit_code == BY_CTRL_C and "second Ctrl-C" in stderr and "Traceback" not in stderr


@pytest.mark.parametrize(
    "then",
    [
        "time.sleep(30)",
        "with contextlib.suppress(SystemExit): time.sleep(30)\ntime.sleep(30)",
        "hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)",
        IN_A_DESTRUCTOR,
    ],
    ids=["at once", "caught by a library", "in a long call", "in a destructor"],
)
def test_ctrl_c_outside_a_run_is_one_line(then):
    patience = 30 if then == IN_A_DESTRUCTOR else 0.5
    code = (
        "import contextlib, hashlib, time\n"
        "from training.engine.interruption import end_on_ctrl_c\n"
        f"end_on_ctrl_c({patience})\n"
        f"print('ready', flush=True)\n{then}\n"
    )
    exit_code, stderr = ended(code, 1)
    assert exit_code == BY_CTRL_C and stderr.strip().startswith("Ended by Ctrl-C.")
    assert len(stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("then", ["time.sleep(20)", IN_A_DESTRUCTOR], ids=["at once", "destructor"])
def test_ctrl_c_in_a_program_of_the_library_is_one_line_and_cleans_up(then, tmp_path):
    code = (
        "import runpy, tempfile, time\n"
        # Importing it would load Keras.
        f"runpy.run_path({str(INTERRUPTION)!r})['end_on_ctrl_c']()\n"
        f"with tempfile.TemporaryDirectory(dir={str(tmp_path)!r}):\n"
        + textwrap.indent(f"print('ready', flush=True)\n{then}", "    ")
    )
    exit_code, stderr = ended(code, 1)
    assert exit_code == BY_CTRL_C and stderr.strip().startswith("Ended by Ctrl-C.")
    assert len(stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_launch_passes_ctrl_c_on_and_ends_at_the_second():
    worker = (
        "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: {})\ntime.sleep(30)\n"
    )
    saving = [sys.executable, "-c", worker.format(f"sys.exit({RESUMABLE})")]
    stuck = [sys.executable, "-c", worker.format("None")]
    assert supervised(saving, presses=1) == RESUMABLE
    assert supervised(stuck, presses=2) == BY_CTRL_C


def supervised(command, presses):
    timers = [
        threading.Timer(1.5 + number, os.kill, (os.getpid(), signal.SIGINT))
        for number in range(presses)
    ]
    for timer in timers:
        timer.start()
    try:
        return supervise([command], restarts=0, patience=20.0)
    except SystemExit as stop:
        return stop.code
    finally:
        for timer in timers:
            timer.join()
