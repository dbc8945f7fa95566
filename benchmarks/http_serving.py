"""Latency of `examples.http_server` under load, with and without batching.

    python -m keras_mlp.formats saved_models/repmlpnet_cifar10/model.keras \\
        --format onnx --output model.onnx
    python -m benchmarks.http_serving --model model.onnx --picture examples/pictures/horse.png

Locust plays 1, 4 and 16 clients that each send a picture file, wait for the answer and send the
next. Times are those of the clients, decoding and HTTP included. The server has the first core, the
clients the second: what they need does not slow the server down. Needs `keras_mlp[http]`.
"""

import argparse
import contextlib
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.report import check_folder_of, machine_facts
from benchmarks.stored_run import print_stored, program_parser
from keras_mlp.arguments import check_positive, check_positive_int
from keras_mlp.json_files import write_json

PROGRAM = "benchmarks.http_serving"
CLIENTS_FILE = pathlib.Path(__file__).with_name("http_clients.py")
PERCENTILES = (50, 95, 99)
START_SECONDS = 120


def load_test(
    model: str, picture: str, *, clients: Sequence[int], batches: Sequence[int], seconds: float
) -> list[dict[str, Any]]:
    """Loads a server for each batch size by each number of clients, one after the other.

    Args:
        model: an `.onnx` file.
        picture: the file that clients send.
        clients: numbers of clients.
        batches: most pictures in a batch; 1 for no batching.
        seconds: length of each measurement.

    Returns:
        A dict for each pair: `batch`, `clients`, `requests`, `per_second`, and `milliseconds`, from
        each of `PERCENTILES` to the latency that it names.

    Raises:
        RuntimeError: a server did not start, or a request failed.
    """
    found: list[dict[str, Any]] = []
    for batch in batches:
        with running_server(model, batch) as address:
            _stats(address, picture, max(clients), 2)  # the first requests are slow
            for count in clients:
                stats = _stats(address, picture, count, seconds)
                times = {float(ms): n for ms, n in stats["response_times"].items()}
                requests = stats["num_requests"]
                passed = stats["last_request_timestamp"] - stats["start_time"]
                found.append(
                    {
                        "batch": batch,
                        "clients": count,
                        "requests": requests,
                        "per_second": requests / passed,
                        "milliseconds": {str(p): percentile(times, p) for p in PERCENTILES},
                    }
                )
    return found


def percentile(times: Mapping[float, int], percent: float) -> float:
    """The smallest time that at least so many percent of the requests do not exceed.

    Args:
        times: from milliseconds to the number of requests that took them.
        percent: from 0 to 100.
    """
    needed = sum(times.values()) * percent / 100
    seen = 0
    for milliseconds in sorted(times):
        seen += times[milliseconds]
        if seen >= needed:
            break
    return milliseconds


@contextlib.contextmanager
def running_server(model: str, batch: int) -> Iterator[str]:
    """A running server of its own port on the first core; yields its address.

    Args:
        model: an `.onnx` file.
        batch: most pictures in a batch.

    Raises:
        RuntimeError: it did not start.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    line = [sys.executable, "-m", "examples.http_server", model, "--port", str(port)]
    address = f"http://127.0.0.1:{port}"
    cores = _cores()
    process = subprocess.Popen(
        [*_on(cores[0]), *line, "--batch", str(batch)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        _wait(address, process)
        yield address
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)  # its workers too
        process.communicate()


def _wait(address: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            _, words = process.communicate()
            raise RuntimeError(f"the server did not start: {words.decode().strip()[-500:]}")
        try:
            urllib.request.urlopen(f"{address}/health", timeout=5).close()
            return
        except (urllib.error.URLError, ConnectionError):  # not yet
            time.sleep(0.2)
    raise RuntimeError(f"the server did not answer within {START_SECONDS} s")


def _stats(address: str, picture: str, clients: int, seconds: float) -> Any:
    line = [sys.executable, "-m", "locust", "--locustfile", str(CLIENTS_FILE), "--host", address]
    line += ["--headless", "--users", str(clients), "--spawn-rate", str(clients), "--json"]
    line += ["--run-time", f"{seconds:.0f}s", "--loglevel", "ERROR", "--stop-timeout", "5"]
    done = subprocess.run(
        [*_on(_cores()[-1]), *line],
        env={**os.environ, "PICTURE": picture},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"requests failed: {(done.stderr or done.stdout).strip()[-500:]}")
    (stats,) = json.loads(done.stdout)
    return stats


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0))


def _on(core: int) -> list[str]:
    return ["taskset", "--cpu-list", str(core)]


def markdown(run: Mapping[str, Any]) -> str:
    """The report of a run: facts, then a row for each batch size and number of clients."""
    lines = [f"- {name}: {value}" for name, value in run["facts"].items()]
    names = " | ".join(f"{p}%, ms" for p in PERCENTILES)
    lines += ["", f"| batches of up to | clients | pictures/s | {names} |"]
    lines.append("|---:|---:|---:|" + "---:|" * len(PERCENTILES))
    for row in run["results"]:
        times = " | ".join(f"{row['milliseconds'][str(p)]:.0f}" for p in PERCENTILES)
        lines.append(f"| {row['batch']} | {row['clients']} | {row['per_second']:.0f} | {times} |")
    return "\n".join([*lines, ""])


def _check(options: argparse.Namespace) -> None:
    for name in ("model", "picture"):
        path = getattr(options, name)
        if path is None or not pathlib.Path(path).is_file():
            raise ValueError(f"`{name}` must be a file, got {path!r}.")
    for name in ("clients", "batches"):
        for number in getattr(options, name):
            check_positive_int(name, number)
    check_positive("seconds", options.seconds)
    check_folder_of("json", options.json)
    for name in ("litserve", "locust", "onnxruntime"):
        if importlib.util.find_spec(name) is None:
            raise ValueError(f"{name} is not installed: pip install 'keras_mlp[http]'.")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints Markdown, and writes JSON if asked to; exits on an error."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = program_parser(PROGRAM, __doc__)
    add = parser.add_argument
    add("--model", help="an .onnx file")
    add("--picture", help="the file that clients send")
    add("--clients", type=int, nargs="+", default=[1, 4, 16], help="numbers of clients (1 4 16)")
    add("--batches", type=int, nargs="+", default=[1, 16], help="most pictures in one (1 16)")
    add("--seconds", type=float, default=20, help="of each measurement (20)")
    add("--json", help="file to write the results to")
    add("--from", nargs="+", dest="stored", metavar="FILE", help="print such files")
    options = parser.parse_args(arguments)
    try:
        if options.stored:
            print_stored(options.stored, PROGRAM, markdown)
            return
        _check(options)
        results = load_test(
            options.model,
            options.picture,
            clients=options.clients,
            batches=options.batches,
            seconds=options.seconds,
        )
    except (ValueError, OSError, RuntimeError) as error:
        parser.error(str(error))
    facts = {
        **machine_facts(),
        "command": shlex.join(["python", "-m", PROGRAM, *arguments]),
        "load after": f"{os.getloadavg()[0]:.2f}",
        "versions": ", ".join(
            f"{name} {importlib.metadata.version(name)}"
            for name in ("litserve", "onnxruntime", "locust")
        ),
    }
    run = {"program": PROGRAM, "facts": facts, "results": results}
    print(markdown(run))
    if options.json:
        write_json(options.json, run)


if __name__ == "__main__":
    main()
