"""Several runs at a time, each in a process of its own that is pinned to one core."""

import concurrent.futures
import os
import pathlib
import pickle
import queue
import subprocess
from collections.abc import Callable, Sequence

from training.config import Config
from training.engine.interruption import RESUMABLE, Interrupted, StopSignal
from training.program_process import program_command, program_environment

# Set before TensorFlow or JAX starts: both read them once.
_ONE_THREAD = {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
_SECONDS_BETWEEN_LOOKS = 0.5


def train_in_processes(
    runs: Sequence[tuple[Config, pathlib.Path, float]],
    jobs: int,
    after_each: Callable[[pathlib.Path], object],
) -> None:
    """Trains runs, `jobs` at a time, each on a core of its own with one thread.

    Args:
        runs: (config, folder, minutes) of each run, in the order in which they start; `minutes` as
            for `training.studies.pace.with_planned_steps`. What a run prints is in FOLDER.log.
        jobs: number of processes, at most the cores that this process may use.
        after_each: called, in this thread, with the folder of each run that is finished.

    Raises:
        ValueError: there are not so many cores.
        RuntimeError: a run failed; runs that were under way have saved a checkpoint.
        Interrupted: this process received SIGTERM; runs that were under way have saved one.
    """
    cores = check_jobs(jobs)
    waiting: queue.SimpleQueue[tuple[Config, pathlib.Path, float]] = queue.SimpleQueue()
    for run in runs:
        waiting.put(run)
    done: queue.SimpleQueue[pathlib.Path] = queue.SimpleQueue()
    with (
        StopSignal() as stop,
        concurrent.futures.ThreadPoolExecutor(len(cores)) as threads,
    ):
        workers = [threads.submit(_work, core, waiting, done, stop) for core in cores]
        try:
            while workers_left := [each for each in workers if not each.done()]:
                concurrent.futures.wait(workers_left, _SECONDS_BETWEEN_LOOKS)
                while not done.empty():
                    after_each(done.get())
                for each in workers:
                    if each.done():
                        each.result()  # raises what ended it
        except BaseException:  # Ctrl-C too: the others save and end before this process does
            stop.noted = True
            raise
    while not done.empty():
        after_each(done.get())
    if stop.noted:
        raise Interrupted


def check_jobs(jobs: int) -> list[int]:
    """The cores for so many processes, or ValueError if this process may not use so many."""
    cores = sorted(os.sched_getaffinity(0))
    if not 1 <= jobs <= len(cores):
        raise ValueError(f"`--jobs` must be from 1 to {len(cores)}, the cores here; got {jobs}.")
    return cores[:jobs]


def _work(
    core: int,
    waiting: "queue.SimpleQueue[tuple[Config, pathlib.Path, float]]",
    done: "queue.SimpleQueue[pathlib.Path]",
    stop: StopSignal,
) -> None:
    """Trains runs one after the other on one core, until none is waiting."""
    os.sched_setaffinity(0, {core})  # of this thread: the processes that it starts inherit it
    while not waiting.empty() and not stop.noted:
        try:
            config, folder, minutes = waiting.get_nowait()
        except queue.Empty:
            return
        _train(config, folder, minutes, stop)
        done.put(folder)


def _train(config: Config, folder: pathlib.Path, minutes: float, stop: StopSignal) -> None:
    log_file = folder.parent / f"{folder.name}.log"
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with open(log_file, "a", encoding="utf-8") as log:
        process = subprocess.Popen(
            program_command("training.studies.train_one"),
            # A page may name a module of the folder that the program was started in.
            env={**program_environment(os.getcwd()), **_ONE_THREAD},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
        )
        assert process.stdin is not None
        with process.stdin as stdin:
            stdin.write(pickle.dumps((config, folder.absolute(), minutes)))
        while process.poll() is None:
            if stop.noted:
                process.terminate()
                process.wait()
            else:
                _wait(process)
    if process.returncode == RESUMABLE or (process.returncode and stop.noted):
        raise Interrupted
    if process.returncode:
        last = (log_file.read_text(errors="replace").strip().splitlines() or ["no output"])[-1]
        raise RuntimeError(f"{folder}: {last.removeprefix('error: ')} ({log_file} has all of it)")


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_SECONDS_BETWEEN_LOOKS)
    except subprocess.TimeoutExpired:
        return
