"""One input of the fuzzer, and how it is judged."""

import contextlib
import dataclasses
import hashlib
import io
import os
import pathlib
import pickle
import re
import resource
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np

SECONDS = 30  # of processor time: the slowest inputs export a SavedModel
GIBIBYTES = 1.0
# Characters of a message. A list of choices may be long, and argparse repeats a word as it is.
LONGEST, LONGEST_OF_PROGRAM = 3000, 10_000


@dataclasses.dataclass
class Input:
    """A call with arguments that may be wrong.

    Attributes:
        call: makes the call.
        shown: how to make it again, for people.
        named: strings of which the message of a refusal must hold one: the arguments or the file.
        right: raises AssertionError unless the result is right.
        errors: what the documentation says the call raises.
        unchanged: what the call must not change: models, arrays, lists, dicts, and paths of files
            and folders.
        unchanged_if_refused: the same, for a call that changes them if it succeeds.
        output: an empty folder that the call may write to: after a refusal it is still empty, and
            after a success it holds no hidden leftovers. None if nothing is written.
        program: whether it is a program, which ends with an exit code and a line on stderr.
    """

    call: Callable[[], Any]
    shown: str
    named: Iterable[str] = ()
    right: Callable[[Any], object] = lambda result: None
    errors: tuple[type[Exception], ...] = (ValueError,)
    unchanged: Iterable[Any] = ()
    unchanged_if_refused: Iterable[Any] = ()
    output: pathlib.Path | None = None
    program: bool = False


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What an input led to.

    Attributes:
        kind: "worked", "refused", or "wrong".
        why: the message of a refusal, or what is wrong.
    """

    kind: str
    why: str = ""


def judge(given: Input) -> Verdict:
    """Makes the call and checks what is promised for every input."""
    before = [fingerprint(each) for each in given.unchanged]
    before_refusal = [fingerprint(each) for each in given.unchanged_if_refused]
    started, memory = time.process_time(), _peak_memory()
    verdict = _run_program(given) if given.program else _call(given)
    seconds, grown = time.process_time() - started, _peak_memory() - memory
    faults = [verdict.why] if verdict.kind == "wrong" else []
    if seconds > SECONDS:
        faults.append(f"took {seconds:.0f} s")
    if grown > GIBIBYTES:
        faults.append(f"took {grown:.1f} GiB")
    if before != [fingerprint(each) for each in given.unchanged]:
        faults.append("changed what it was given")
    after_refusal = [fingerprint(each) for each in given.unchanged_if_refused]
    if verdict.kind != "worked" and before_refusal != after_refusal:
        faults.append("was refused and changed what it was given")
    faults += _leftovers(given, verdict)
    return Verdict("wrong", "; ".join(faults)) if faults else verdict


def fingerprint(thing: Any) -> str:
    """A digest that changes with a model's config or weights, or with the content of a path."""
    digest = hashlib.sha256()
    if isinstance(thing, keras.Model):
        digest.update(repr(thing.get_config()).encode())
        for weight in thing.weights:
            digest.update(repr((weight.path, weight.trainable)).encode())
            digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(weight)).tobytes())
    elif isinstance(thing, pathlib.Path):
        for path in [thing, *sorted(thing.rglob("*"))]:
            digest.update(os.fsencode(path))
            if path.is_file():
                digest.update(path.read_bytes())
    else:
        try:
            digest.update(pickle.dumps(thing))
        except Exception:  # functions and objects of this process
            digest.update(repr(thing).encode())
    return digest.hexdigest()


def _peak_memory() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**30 if sys.platform == "darwin" else 2**20)


@contextlib.contextmanager
def _strict_warnings():
    """Our own warnings are for the user; numpy's and Python's mean that a check is missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", UserWarning)
        warnings.filterwarnings("ignore", "__array__ implementation")
        yield


def _call(given: Input) -> Verdict:
    try:
        with _strict_warnings():
            result = given.call()
    except given.errors as error:
        return _judged_message(str(error), given.named)
    except Exception as error:
        first = (str(error).splitlines() or [""])[0][:300]
        return Verdict("wrong", f"{type(error).__name__}: {first}")
    try:
        given.right(result)
    except AssertionError as error:
        return Verdict("wrong", f"the result is wrong: {' '.join(str(error).split())[:300]}")
    return Verdict("worked")


def _judged_message(message: str, named: Iterable[str], longest: int = LONGEST) -> Verdict:
    faults = []
    named = list(named)
    if named and not any(name in message for name in named):
        faults.append(f"names none of {', '.join(named)}")
    if "\n" in message and " problems:\n" not in message:
        faults.append("has several lines")
    if not 0 < len(message) <= longest:
        faults.append(f"has {len(message)} characters")
    if re.search(r"0x[0-9a-f]{8}|Traceback", message):
        faults.append("shows addresses or a traceback")
    if faults:
        return Verdict("wrong", f"the message {' and '.join(faults)}: {message[:300]!r}")
    return Verdict("refused", message)


def _run_program(given: Input) -> Verdict:
    out, err = io.StringIO(), io.StringIO()
    code: Any = 0
    try:
        with _strict_warnings(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                given.call()
            except SystemExit as end:
                code = end.code or 0
    except given.errors:
        return Verdict("worked")  # the program had accepted its command line and started
    except Exception as error:
        first = (str(error).splitlines() or [""])[0][:300]
        return Verdict("wrong", f"a traceback: {type(error).__name__}: {first}")
    if code == 0:
        return Verdict("worked")
    # `saved_models.verify` lists problems on stdout, one a line.
    text = code if isinstance(code, str) else err.getvalue() or out.getvalue().partition("\n")[0]
    lines = text.rstrip("\n").split("\n")
    if isinstance(code, str) or code == 1:
        return _judged_message("\n".join(lines), given.named, LONGEST_OF_PROGRAM)
    if code == 2 and "error: " in lines[-1]:
        return _judged_message(lines[-1], given.named, LONGEST_OF_PROGRAM)
    return Verdict("wrong", f"exit code {code} with {text[:300]!r}")


def _leftovers(given: Input, verdict: Verdict) -> list[str]:
    if given.output is None or not given.output.is_dir():
        return []
    found = sorted(os.fsdecode(each.name) for each in given.output.iterdir())
    if verdict.kind == "worked":
        found = [name for name in found if name.startswith(".") or "partial" in name]
    return [f"left {', '.join(map(ascii, found[:3]))} behind"] if found else []
