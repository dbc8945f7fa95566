"""One contender's process: it is pinned, builds the contender, then times it on request.

Takes one JSON order on standard input, then one empty line for each sample, and answers each with
one line of JSON. The interpreter may differ from the parent's and lack keras_mlp.
"""

import dataclasses
import importlib
import importlib.metadata
import importlib.util
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.rounds import time_calls


def main() -> None:
    answer = _answers_on_stdout()
    order = json.loads(sys.stdin.readline())
    # Before any library starts its threads: they inherit the CPUs.
    os.sched_setaffinity(0, order["task"]["cpus"])
    missing = [name for name in order["libraries"] if importlib.util.find_spec(name) is None]
    if missing:
        answer({"missing": missing})
        return
    module, function = order["factory"].split(":")
    call = getattr(importlib.import_module(module), function)(order["task"])
    versions = {name: importlib.metadata.version(name) for name in order["libraries"]}
    answer({"output": call().tolist(), "versions": versions})
    for _ in sys.stdin:
        sample = time_calls(call, order["seconds"], order["task"]["threads"])
        answer(dataclasses.asdict(sample))


def _answers_on_stdout() -> Callable[[dict[str, Any]], None]:
    """A function that writes answers to stdout; everything else printed there goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(content: dict[str, Any]) -> None:
        print(json.dumps(content), file=answers, flush=True)

    return answer


if __name__ == "__main__":
    main()
