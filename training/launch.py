"""Starts several workers on this machine and keeps them together:

    python -m training.launch --workers 2 -- --config PAGE --workdir DIR

What follows `--` goes to `training.train` of each worker, with `multi_worker_mirrored` as strategy.
Each has an equal share of the cores, where there is one for each: workers that all want all cores
wait for each other. When one dies, the others cannot go on: all are ended and started again, from
the newest checkpoint. A SIGTERM is passed on, and the run can be resumed by the same command.
"""

from training.command_line import launch_options

if __name__ == "__main__":  # wrong options end here, before TensorFlow loads
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

from training.engine.interruption import RESUMABLE


class Cluster:
    """Processes that train together.

    Args:
        commands: one list of strings for each worker; the first is the chief.
    """

    def __init__(self, commands):
        addresses = [f"127.0.0.1:{port}" for port in _free_ports(len(commands))]
        shares = _shares_of_cores(len(commands))
        self.workers = []
        for index, command in enumerate(commands):
            task = {"type": "worker", "index": index}
            description = json.dumps({"cluster": {"worker": addresses}, "task": task})
            process = subprocess.Popen(
                command,
                env={**os.environ, "TF_CONFIG": description},
                # Every worker ends with the same lines; the chief's are shown.
                stdout=None if index == 0 else subprocess.DEVNULL,
                preexec_fn=shares[index],
            )
            self.workers.append(process)

    def code(self):
        """None while all run; 0 when all have ended well; else how the run as a whole ended.

        That is the exit code of a worker that says that trying again is useless, or `RESUMABLE`.
        """
        codes = [worker.poll() for worker in self.workers]
        if any(codes):
            # Some end because of the one that they lost; what ended that one counts.
            time.sleep(1.0)
            codes = [worker.poll() for worker in self.workers]
            useless = [code for code in codes if code and code > 0 and code != RESUMABLE]
            return useless[0] if useless else RESUMABLE
        return None if None in codes else 0

    def ask_to_end(self):
        """Passes a SIGTERM on."""
        for worker in self.workers:
            worker.send_signal(signal.SIGTERM)

    def end(self, patience):
        """Gives the workers some seconds, then kills those that are left."""
        deadline = time.monotonic() + patience
        for worker in self.workers:
            try:
                worker.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()


def supervise(commands, *, restarts, patience=60.0):
    """Runs a cluster until it is done, starting it again when a worker dies.

    Args:
        commands: as for `Cluster`.
        restarts: how often it is started again at most.
        patience: seconds that workers get to save after a SIGTERM.

    Returns:
        The exit code for this process: 0 when all ended well.
    """
    asked = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
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
                print(f"A worker died; start {attempt + 2} of all of them.", file=sys.stderr)
        return code
    finally:
        signal.signal(signal.SIGTERM, before)


def _wait(cluster, asked, patience):
    """The code of a cluster that has ended; passes on that this process was asked to end."""
    while (code := cluster.code()) is None:
        if asked:
            cluster.ask_to_end()
            cluster.end(patience)
        time.sleep(0.1)
    return code


def _shares_of_cores(count):
    """For each worker what it calls before it starts, None to leave it all cores."""
    # macOS and Windows have no such call.
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < count:
        return [None] * count
    # Neighbours: they tend to share a cache and a memory node.
    bounds = [index * len(cores) // count for index in range(count + 1)]
    return [
        functools.partial(os.sched_setaffinity, 0, cores[first:last])
        for first, last in itertools.pairwise(bounds)
    ]


def _free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def main(arguments=None):
    options = launch_options(__doc__, arguments)
    command = [sys.executable, "-m", "training.train", *options.train]
    sys.exit(supervise([command] * options.workers, restarts=options.restarts))


if __name__ == "__main__":
    main()
