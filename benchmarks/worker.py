"""One contender's process: pinned, built, then timed on request.

Takes one JSON order on standard input, then one empty line for each sample; answers each with one
line of JSON. The interpreter may be another one than the parent's, without keras_mlp in it.
"""

import dataclasses
import importlib
import importlib.metadata
import importlib.util
import json
import os
import sys

from benchmarks.rounds import time_calls


def main():
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


def _answers_on_stdout():
    """A function that writes answers; what libraries print goes to standard error instead."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(content):
        print(json.dumps(content), file=answers, flush=True)

    return answer


if __name__ == "__main__":
    main()
