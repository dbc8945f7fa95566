"""Every program ends with one line and the exit code that says what to do."""

import pytest

from training.engine.interruption import RESUMABLE, Interrupted, LostWorker
from training.program_end import clear_end


@pytest.mark.parametrize(
    ("error", "more", "code", "line"),
    [
        (ValueError("`epochs` is 0."), (), "error: `epochs` is 0.", ""),
        (FloatingPointError("no loss"), (), "error: no loss", ""),
        (FileNotFoundError(2, "No such file", "a"), (), "error: [Errno 2] No such file: 'a'", ""),
        (RuntimeError("a run failed"), (RuntimeError,), "error: a run failed", ""),
        (Interrupted(), (), RESUMABLE, "a checkpoint was saved"),
        (LostWorker("Another worker was lost: gone"), (), RESUMABLE, "Another worker was lost"),
    ],
)
def test_what_a_user_can_mend_is_one_line(error, more, code, line, capsys):
    with pytest.raises(SystemExit) as stop, clear_end(*more):
        raise error
    assert stop.value.code == code
    said = "".join(capsys.readouterr())
    assert line in said and said.count("\n") <= 1


def test_a_fault_of_ours_keeps_its_traceback():
    with pytest.raises(RuntimeError), clear_end():
        raise RuntimeError("ours")
    with clear_end():
        done = True
    assert done
