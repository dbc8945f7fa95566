"""The parent's end of a contender's process."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

from benchmarks.contenders import Contender
from benchmarks.rounds import Sample

_CHECKOUT = pathlib.Path(__file__).parents[1]


class _Task(Protocol):
    """A dataclass whose `threads` is the number of threads of the work."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def threads(self) -> int: ...


class WorkerFailed(Exception):
    """A contender's process ended early; the message holds the end of its output."""


class WorkerProcess:
    """A running contender; leaving its `with` block stops it.

    Args:
        contender: a `Contender`.
        task: a `Task`, or another dataclass with `threads`.
        interpreter: path of the python, or node, with the contender's libraries.
        seconds: minimum duration of one sample.

    Attributes:
        name, description: those of the contender.
        missing: names of the libraries that the interpreter lacks; without them nothing is timed.
        output: the contender's result on the task, as nested lists; None if libraries are missing.
        versions: maps each library's name to its version.

    Raises:
        WorkerFailed: the contender could not be built or run.
    """

    def __init__(self, contender: Contender, task: _Task, interpreter: str, seconds: float) -> None:
        self.name, self.description = contender.name, contender.description
        self._log = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115, see close
        self._process = subprocess.Popen(
            [interpreter, *contender.worker],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=_CHECKOUT,
            env={**_environment(task.threads), **contender.environment},
            text=True,
        )
        order = {
            "factory": contender.factory,
            "libraries": contender.libraries,
            "task": dataclasses.asdict(task),
            "seconds": seconds,
        }
        try:
            reply = self._ask(json.dumps(order))
        except BaseException:
            self.close()
            raise
        self.missing: list[str] = reply.get("missing", [])
        self.output: Any = reply.get("output")
        self.versions: dict[str, str] = reply.get("versions", {})

    def sample(self) -> Sample:
        """Runs one turn and returns its `Sample`."""
        return Sample(**self._ask(""))

    def close(self) -> None:
        """Stops the process."""
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def __enter__(self) -> "WorkerProcess":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _ask(self, line: str) -> dict[str, Any]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None  # both are pipes
        try:
            stdin.write(line + "\n")
            stdin.flush()
            reply = stdout.readline()
        except BrokenPipeError:
            reply = ""
        if not reply:
            self._process.wait()
            self._log.seek(0)
            raise WorkerFailed(f"{self.name} ended early:\n{self._log.read()[-2000:]}")
        return json.loads(reply)


def missing_libraries(interpreter: str, libraries: Sequence[str]) -> list[str]:
    """Those of some top-level modules that an interpreter cannot find.

    Raises:
        WorkerFailed: the interpreter does not run.
    """
    code = (
        "import importlib.util, json, sys; print(json.dumps([name for name in sys.argv[1:] "
        "if importlib.util.find_spec(name) is None]))"
    )
    order = [interpreter, "-c", code, *libraries]
    finished = subprocess.run(order, cwd=_CHECKOUT, capture_output=True, text=True)
    if finished.returncode:
        raise WorkerFailed(f"{interpreter} does not run:\n{finished.stderr[-2000:]}")
    missing: list[str] = json.loads(finished.stdout)
    return missing


def run_once(
    module: str,
    name: str,
    order: dict[str, Any],
    interpreter: str = sys.executable,
    backend: str = "tensorflow",
) -> dict[str, Any]:
    """Runs a measuring module in a process of its own, which peak memory needs.

    Args:
        module: such as "benchmarks.training_step"; it takes the order as JSON, and its last line
            is the result as JSON.
        name: what an error calls it.
        order: for the module.
        interpreter: path of the python with the module's libraries.
        backend: of Keras.

    Raises:
        WorkerFailed: the process ended early.
    """
    finished = subprocess.run(
        [interpreter, "-m", module, json.dumps(order)],
        cwd=_CHECKOUT,
        env={
            **os.environ,
            "KERAS_BACKEND": backend,
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "CUDA_VISIBLE_DEVICES": "-1",  # resident memory counts the host only
        },
        capture_output=True,
        text=True,
    )
    if finished.returncode:
        raise WorkerFailed(f"{name} ended early:\n{finished.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return result


def _environment(threads: int) -> dict[str, str]:
    pools = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {
        **os.environ,
        **dict.fromkeys(pools, str(threads)),
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",  # measures the CPU even on a machine with a GPU
        "TORCHINDUCTOR_COMPILE_THREADS": "1",  # no idle compiler pool during the timing
    }
