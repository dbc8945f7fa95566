"""Starts several workers on this machine and keeps them together:

    python -m training.launch --workers 2 -- --config PAGE --workdir DIR

The options after `--` go to `training.train` in each worker, with `multi_worker_mirrored` as the
strategy. Each worker gets an equal share of the cores if there are enough: workers that compete for
all cores wait for each other. When one dies, the others cannot continue: all are ended and started
again from the newest checkpoint. SIGTERM and Ctrl-C are passed on as SIGTERM, and the same command
resumes the run; a second Ctrl-C ends it at once.
"""

from training.command_line import Arguments, launch_options
from training.engine.interruption import end_on_ctrl_c

if __name__ == "__main__":  # wrong options end here, before TensorFlow loads
    end_on_ctrl_c()
    launch_options(__doc__)

import functools
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
import types
from collections.abc import Callable, Sequence

from training.engine.interruption import BY_CTRL_C, RESUMABLE
from training.program_process import program_command, program_environment


class Cluster:
    """Processes that train together.

    Args:
        commands: one list of strings for each worker; the first is the chief.
    """

    def __init__(self, commands: Sequence[Sequence[str]]) -> None:
        addresses = [f"127.0.0.1:{port}" for port in _free_ports(len(commands))]
        shares = _shares_of_cores(len(commands))
        self.workers: list[subprocess.Popen[bytes]] = []
        for index, command in enumerate(commands):
            task = {"type": "worker", "index": index}
            description = json.dumps({"cluster": {"worker": addresses}, "task": task})  # noqa: TID251
            process = subprocess.Popen(
                command,
                env={**program_environment(), "TF_CONFIG": description},
                # Every worker prints the same lines; the chief's are shown.
                stdout=None if index == 0 else subprocess.DEVNULL,
                preexec_fn=shares[index],
            )
            self.workers.append(process)

    def code(self) -> int | None:
        """The exit code of the run: None while all run, 0 when all have succeeded.

        Otherwise the exit code of a worker whose error would come again, or `RESUMABLE`.
        """
        codes = [worker.poll() for worker in self.workers]
        if any(codes):
            # Some end because they lost another worker; the error of that worker counts.
            time.sleep(1.0)
            codes = [worker.poll() for worker in self.workers]
            useless = [code for code in codes if code and code > 0 and code != RESUMABLE]
            return useless[0] if useless else RESUMABLE
        return None if None in codes else 0

    def ask_to_end(self) -> None:
        """Sends SIGTERM to the workers."""
        for worker in self.workers:
            worker.send_signal(signal.SIGTERM)

    def end(self, patience: float) -> None:
        """Waits for the workers for `patience` seconds, then kills those that still run."""
        deadline = time.monotonic() + patience
        for worker in self.workers:
            try:
                worker.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()


def supervise(commands: Sequence[Sequence[str]], *, restarts: int, patience: float = 60.0) -> int:
    """Runs a cluster to its end, and starts it again when a worker dies.

    Args:
        commands: as for `Cluster`.
        restarts: maximum number of restarts.
        patience: seconds that workers have to save after a SIGTERM.

    Returns:
        The exit code for this process: 0 if all workers succeeded.
    """
    asked: list[int] = []

    def note(number: int, frame: types.FrameType | None) -> None:
        if number == signal.SIGINT and signal.SIGINT in asked:
            raise SystemExit(BY_CTRL_C)
        asked.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    woken_before = signal.set_wakeup_fd(-1)  # `end_on_ctrl_c` would not wait for the workers
    try:
        for attempt in range(restarts + 1):
            cluster = Cluster(commands)
            try:
                code = _wait(cluster, asked, patience)
            finally:
                cluster.end(0.0)
            if code != RESUMABLE or asked:
                return code
            if attempt < restarts:
                print(
                    f"A worker died; starting all of them, attempt {attempt + 2}.", file=sys.stderr
                )
        return code
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(woken_before)


def _wait(cluster: Cluster, asked: list[int], patience: float) -> int:
    """Waits for a cluster and returns its code; passes on what asked this process to end."""
    while (code := cluster.code()) is None:
        if asked:
            cluster.ask_to_end()
            cluster.end(patience)
        time.sleep(0.1)
    return code


def _shares_of_cores(count: int) -> Sequence[Callable[[], None] | None]:
    """For each worker the function that it calls before it starts; None to leave it all cores."""
    # macOS and Windows do not have this function.
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < count:
        return [None] * count
    # Neighbouring cores tend to share a cache and a memory node.
    bounds = [index * len(cores) // count for index in range(count + 1)]
    return [
        functools.partial(os.sched_setaffinity, 0, cores[first:last])
        for first, last in itertools.pairwise(bounds)
    ]


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def main(arguments: Arguments = None) -> None:
    options = launch_options(__doc__, arguments)
    command = [*program_command("training.train"), *options.train]
    sys.exit(supervise([command] * options.workers, restarts=options.restarts))


if __name__ == "__main__":
    main()
