"""The parent's end of a contender's process."""

import dataclasses
import json
import os
import pathlib
import subprocess
import tempfile

from benchmarks.rounds import Sample

_CHECKOUT = pathlib.Path(__file__).parents[1]


class WorkerFailed(Exception):
    """A contender's process ended; the message carries the end of what it printed."""


class WorkerProcess:
    """A running contender; leaving its `with` block ends it.

    Args:
        contender: a `Contender`.
        task: a `Task`.
        interpreter: path of the python, or node, that has the contender's libraries.
        seconds: least time of one sample.

    Attributes:
        name, description: the contender's.
        missing: names of the libraries that the interpreter lacks; then there is nothing to time.
        output: the contender's result on the task, as nested lists; None if libraries miss.
        versions: dict from library name to version.

    Raises:
        WorkerFailed: the contender could not be built or run.
    """

    def __init__(self, contender, task, interpreter, seconds):
        self.name, self.description = contender.name, contender.description
        self._log = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115, see close
        self._process = subprocess.Popen(
            [interpreter, *contender.worker],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=_CHECKOUT,
            env=_environment(task.threads),
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
        self.missing = reply.get("missing", [])
        self.output = reply.get("output")
        self.versions = reply.get("versions", {})

    def sample(self):
        """Runs one turn and returns its `Sample`."""
        return Sample(**self._ask(""))

    def close(self):
        """Ends the process."""
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def _ask(self, line):
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            reply = self._process.stdout.readline()
        except BrokenPipeError:
            reply = ""
        if not reply:
            self._process.wait()
            self._log.seek(0)
            raise WorkerFailed(f"{self.name} ended early:\n{self._log.read()[-2000:]}")
        return json.loads(reply)


def _environment(threads):
    pools = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {
        **os.environ,
        **dict.fromkeys(pools, str(threads)),
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",  # a measurement of CPUs, also on a machine with a GPU
        "TORCHINDUCTOR_COMPILE_THREADS": "1",  # no idle pool of compilers beside the timing
    }
