"""Inference speed on CPU, paired with timm and OpenVINO: python -m benchmarks.inference -h."""

import argparse
import contextlib
import dataclasses
import os
import pathlib
import shlex
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.agreement import Disagreement, check_agreement
from benchmarks.contenders import CONTENDERS, Contender
from benchmarks.contenders.exported import OPENVINO, OPENVINO_INT8
from benchmarks.format_files import write_openvino
from benchmarks.report import check_folder_of, has_bfloat16, machine_facts, markdown
from benchmarks.rounds import run_in_turn, summarise
from benchmarks.task import Task, check_threads, write_task
from benchmarks.worker_process import WorkerFailed, WorkerProcess
from keras_mlp import ARCHITECTURES
from keras_mlp.arguments import check_choice, check_positive, check_positive_int
from keras_mlp.json_files import write_json

BASELINE = "timm_eager"
TOLERANCE = 1e-4
# OpenVINO in fewer bits computes something else: its difference is reported, and bounded loosely.
ROUNDED, ROUNDED_TOLERANCE = ("openvino_bf16", "openvino_int8"), 0.25


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints Markdown, and writes JSON if asked to; exits on an error."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        contenders, cpus = _check(options)
    except ValueError as error:
        parser.error(str(error))
    facts = {
        **machine_facts(),
        "command": shlex.join(["python", "-m", "benchmarks.inference", *arguments]),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }
    try:
        run = measure(contenders, options, cpus, facts)
    except (Disagreement, WorkerFailed) as error:
        sys.exit(f"error: {error}")
    print(markdown(run))
    if options.json:
        write_json(options.json, run)


def measure(
    contenders: Sequence[Contender],
    options: argparse.Namespace,
    cpus: Sequence[int],
    facts: dict[str, Any],
) -> dict[str, Any]:
    """Starts the contenders, checks that they agree, and times them in turn.

    Args:
        contenders: list of `Contender`.
        options: the command-line options.
        cpus: numbers of the CPUs to run on, one per thread.
        facts: dict of facts about the machine.

    Returns:
        The run, for `report.markdown`.

    Raises:
        Disagreement: contenders compute different logits.
        WorkerFailed: a contender could not be built or run.
    """
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        task = write_task(folder, options.architecture, options.variant, options.batch, cpus)
        if any(_needs(contender, "openvino") for contender in contenders):
            task = with_openvino(task, folder, options.openvino_python)
        workers: dict[str, WorkerProcess] = {}
        missing: dict[str, list[str]] = {}
        for contender in contenders:
            lack = _lack(contender, task)
            if lack:
                missing[contender.name] = [lack]
                continue
            python = _interpreter(contender, options)
            worker = WorkerProcess(contender, task, python, options.seconds)
            stack.enter_context(worker)
            if worker.missing:
                missing[contender.name] = worker.missing
            else:
                workers[contender.name] = worker
        differences = _compare(workers)
        samples = run_in_turn({n: w.sample for n, w in workers.items()}, options.rounds)
    summaries = summarise(samples, BASELINE)
    versions = {f"{k} {v}" for worker in workers.values() for k, v in worker.versions.items()}
    return {
        "facts": {**facts, "versions": ", ".join(sorted(versions))},
        "baseline": BASELINE,
        "contenders": {
            name: {
                "description": worker.description,
                "difference": differences[name],
                "summary": summaries[name],
                "samples": samples[name],
            }
            for name, worker in workers.items()
        },
        "missing": missing,
    }


def with_openvino(task: Task, folder: pathlib.Path, python: str) -> Task:
    """The task with its model exported for OpenVINO, quantized on random images.

    Raises:
        WorkerFailed: the model could not be exported.
    """
    shape = np.load(task.images, mmap_mode="r").shape[1:]
    images = np.random.default_rng(1).standard_normal((8, *shape), "float32")
    paths = write_openvino(pathlib.Path(task.model), folder, python, images)
    return dataclasses.replace(
        task, openvino=str(paths[OPENVINO]), openvino_int8=str(paths[OPENVINO_INT8])
    )


def _needs(contender: Contender, library: str) -> bool:
    return library in contender.libraries


def _lack(contender: Contender, task: Task) -> str | None:
    """Why a contender cannot run the task, besides its libraries; None if it can."""
    if _needs(contender, "timm") and task.timm is None:
        return "timm has no such network"
    if contender.name == "openvino_bf16" and not has_bfloat16():
        return "bfloat16 in the processor"
    return None


def _interpreter(contender: Contender, options: argparse.Namespace) -> str:
    if _needs(contender, "timm"):
        return options.timm_python
    return options.openvino_python if _needs(contender, "openvino") else sys.executable


def _compare(workers: Mapping[str, WorkerProcess]) -> dict[str, float]:
    """Relative differences of the logits from the baseline's; without it, the first contender's."""
    names = sorted(workers, key=lambda name: (name in ROUNDED, name != BASELINE))
    outputs = {name: workers[name].output for name in names}
    exact = {name: output for name, output in outputs.items() if name not in ROUNDED}
    first = {names[0]: outputs[names[0]]}
    rounded = {name: output for name, output in outputs.items() if name in ROUNDED}
    return {
        **check_agreement(first | exact, TOLERANCE),
        **check_agreement(first | rounded, ROUNDED_TOLERANCE),
    }


def _check(options: argparse.Namespace) -> tuple[list[Contender], list[int]]:
    """The contenders and CPUs that the options ask for; ValueError for invalid options."""
    check_choice("architecture", options.architecture, ARCHITECTURES)
    check_choice("variant", options.variant, ARCHITECTURES[options.architecture].variants)
    for name in ("batch", "threads", "rounds"):
        check_positive_int(name, getattr(options, name))
    check_positive("seconds", options.seconds)
    names = dict.fromkeys(options.contenders.split(","))
    contenders = [CONTENDERS[check_choice("contenders", name, CONTENDERS)] for name in names]
    for name in ("timm_python", "openvino_python"):
        python = getattr(options, name)
        if shutil.which(python) is None:
            raise ValueError(f"`{name}` must be an interpreter, got {python!r}.")
    check_folder_of("json", options.json)
    return contenders, check_threads(options.threads)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.inference",
        description=__doc__.split(":")[0] + ".",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--architecture", default="MLPMixer", help=", ".join(ARCHITECTURES))
    add("--variant", default="S/16", help="variant of the architecture")
    add("--batch", type=int, default=8, help="images per call")
    add("--threads", type=int, default=1, help="threads of a contender, each on its own CPU")
    add("--rounds", type=int, default=8, help="number of turns of each contender")
    add("--seconds", type=float, default=0.5, help="minimum duration of a turn")
    add("--contenders", default=",".join(CONTENDERS), help="comma-separated names")
    add("--timm-python", default=sys.executable, help="interpreter with PyTorch and timm")
    add(
        "--openvino-python",
        default=sys.executable,
        help="interpreter with the extra openvino-int8",
    )
    add("--json", help="file to write all samples to")
    return parser


if __name__ == "__main__":
    main()
