"""Inference speed on CPU, paired with timm: python -m benchmarks.inference --help."""

import argparse
import contextlib
import os
import pathlib
import shlex
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.agreement import Disagreement, check_agreement
from benchmarks.contenders import CONTENDERS, Contender
from benchmarks.report import machine_facts, markdown, write_json
from benchmarks.rounds import run_in_turn, summarise
from benchmarks.task import write_mixer_task
from benchmarks.worker_process import WorkerFailed, WorkerProcess
from keras_mlp import MLPMixer
from keras_mlp.arguments import check_choice, check_positive, check_positive_int

BASELINE = "timm_eager"
TOLERANCE = 1e-4


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
        task = write_mixer_task(folder, _sizes(options.variant), options.batch, cpus)
        workers: dict[str, WorkerProcess] = {}
        missing: dict[str, list[str]] = {}
        for contender in contenders:
            python = options.timm_python if "timm" in contender.libraries else sys.executable
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


def _compare(workers: Mapping[str, WorkerProcess]) -> dict[str, float]:
    """Relative differences of the logits from the baseline's; without it, the first contender's."""
    names = sorted(workers, key=lambda name: name != BASELINE)
    return check_agreement({name: workers[name].output for name in names}, TOLERANCE)


def _sizes(variant: str) -> dict[str, Any]:
    defaults = {"image_shape": (224, 224, 3), "num_classes": 1000}
    return {**defaults, **MLPMixer.variants[variant]}


def _check(options: argparse.Namespace) -> tuple[list[Contender], list[int]]:
    """The contenders and CPUs that the options ask for; ValueError for invalid options."""
    check_choice("variant", options.variant, MLPMixer.variants)
    for name in ("batch", "threads", "rounds"):
        check_positive_int(name, getattr(options, name))
    check_positive("seconds", options.seconds)
    names = dict.fromkeys(options.contenders.split(","))
    contenders = [CONTENDERS[check_choice("contenders", name, CONTENDERS)] for name in names]
    if shutil.which(options.timm_python) is None:
        raise ValueError(f"`timm_python` must be an interpreter, got {options.timm_python!r}.")
    if options.json and not pathlib.Path(options.json).absolute().parent.is_dir():
        raise ValueError(f"`json` must be in an existing folder, got {options.json!r}.")
    cpus = sorted(os.sched_getaffinity(0))
    if options.threads > len(cpus):
        raise ValueError(f"`threads` must be at most the {len(cpus)} CPUs, got {options.threads}.")
    return contenders, cpus[-options.threads :]  # the first CPU handles most interrupts


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.inference",
        description=__doc__.split(":")[0] + ".",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--variant", default="S/16", help=f"variant of MLP-Mixer: {', '.join(MLPMixer.variants)}")
    add("--batch", type=int, default=8, help="images per call")
    add("--threads", type=int, default=1, help="threads of a contender, each on its own CPU")
    add("--rounds", type=int, default=8, help="number of turns of each contender")
    add("--seconds", type=float, default=0.5, help="minimum duration of a turn")
    add("--contenders", default=",".join(CONTENDERS), help="comma-separated names")
    add("--timm-python", default=sys.executable, help="interpreter with PyTorch and timm")
    add("--json", help="file to write all samples to")
    return parser


if __name__ == "__main__":
    main()
