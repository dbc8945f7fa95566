"""What the benchmarks of inference and training on CPU share: options, and contenders in turn.

A run of several configurations is a dict of "program", "facts" and "runs", and is written to the
JSON file after each configuration.
"""

import argparse
import contextlib
import dataclasses
import os
import pathlib
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.agreement import Disagreement, check_agreement
from benchmarks.contenders import Contender
from benchmarks.format_files import convert
from benchmarks.report import check_folder_of, has_bfloat16, machine_facts, markdown
from benchmarks.rounds import run_in_turn, summarise
from benchmarks.task import Task, calibration_file, check_threads, write_task
from benchmarks.worker_process import WorkerFailed, WorkerProcess, missing_libraries
from keras_mlp import ARCHITECTURES
from keras_mlp.arguments import check_choice, check_positive, check_positive_int
from keras_mlp.json_files import write_json

BASELINE = "timm_eager"
# Which option names the interpreter of contenders that need a library.
_INTERPRETERS = {
    "timm": "timm_python",
    "openvino": "openvino_python",
    "onnxruntime": "onnx_python",
    "keras_hub": "peers_python",
    "zeromodels": "peers_python",
}


def contest_parser(
    program: str, description: str | None, contenders: Mapping[str, Contender]
) -> argparse.ArgumentParser:
    """A parser of the options that both benchmarks have."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {program}",
        description=description,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--architecture", nargs="+", default=["MLPMixer"], help=", ".join(ARCHITECTURES))
    add(
        "--variant",
        nargs="+",
        default=["S/16"],
        help="variant of each architecture, or one for all of them",
    )
    add("--batch", type=int, nargs="+", default=[8], help="images per call")
    add(
        "--threads",
        type=int,
        nargs="+",
        default=[1],
        help="threads of a contender, each on its own CPU",
    )
    add("--rounds", type=int, default=8, help="number of turns of each contender")
    add("--seconds", type=float, default=0.5, help="minimum duration of a turn")
    add("--contenders", default=",".join(contenders), help="comma-separated names")
    add("--timm-python", default=sys.executable, help="interpreter with PyTorch and timm")
    add("--json", help="file to write all samples to, after each configuration")
    return parser


def check_options(
    options: argparse.Namespace, contenders: Mapping[str, Contender]
) -> list[Contender]:
    """The contenders that the options name; ValueError for invalid options."""
    if len(options.variant) not in (1, len(options.architecture)):
        raise ValueError(
            f"`variant` must be one, or one for each of the {len(options.architecture)} "
            f"architectures, got {len(options.variant)}."
        )
    for architecture, variant in _models(options):
        check_choice("architecture", architecture, ARCHITECTURES)
        check_choice("variant", variant, ARCHITECTURES[architecture].variants)
    for name in ("batch", "threads"):
        for value in getattr(options, name):
            check_positive_int(name, value)
    check_positive_int("rounds", options.rounds)
    check_positive("seconds", options.seconds)
    check_threads(max(options.threads))
    for name in _INTERPRETERS.values():
        python = getattr(options, name, sys.executable)
        if shutil.which(python) is None:
            raise ValueError(f"`{name}` must be an interpreter, got {python!r}.")
    check_folder_of("json", options.json)
    names = dict.fromkeys(options.contenders.split(","))
    return [contenders[check_choice("contenders", name, contenders)] for name in names]


def run_contest(
    program: str,
    parser: argparse.ArgumentParser,
    known: Mapping[str, Contender],
    measure: Callable[..., dict[str, Any]],
    arguments: Sequence[str] | None,
) -> None:
    """Measures every configuration, prints Markdown, and writes JSON if asked to.

    Args:
        program: such as "benchmarks.inference".
        parser: of its options.
        known: its contenders, by name.
        measure: function of contenders, options of one configuration, CPUs, facts and a folder to
            a run, for `report.markdown`.
        arguments: of the command line; None for those of the process.

    Raises:
        SystemExit: options are invalid, or a configuration ended with an error.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parser.parse_args(arguments)
    try:
        contenders = check_options(options, known)
    except ValueError as error:
        parser.error(str(error))
    facts = {
        **machine_facts(),
        "command": shlex.join(["python", "-m", program, *arguments]),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }
    print("\n".join(f"- {name}: {value}" for name, value in facts.items()))
    versions: set[str] = set()
    runs: list[dict[str, Any]] = []
    for one, folder in configurations(options):
        cpus = check_threads(one.threads)
        try:
            run = measure(contenders, one, cpus, {}, folder)
        except (Disagreement, WorkerFailed) as error:
            sys.exit(f"error: {one.architecture} {one.variant}, batch {one.batch}: {error}")
        versions.update(filter(None, run.pop("facts")["versions"].split(", ")))
        about = {name: getattr(one, name) for name in ("architecture", "variant", "batch")}
        runs.append({**about, "threads": one.threads, **run})
        shown = markdown({**runs[-1], "facts": {}})
        print(f"\n{configuration_name(runs[-1])}:\n{shown}", flush=True)
        if options.json:
            found = {**facts, "versions": ", ".join(sorted(versions))}
            write_json(options.json, {"program": program, "facts": found, "runs": runs})
    print(f"Versions: {', '.join(sorted(versions))}.")


def configurations(
    options: argparse.Namespace,
) -> Iterator[tuple[argparse.Namespace, pathlib.Path]]:
    """Every configuration that the options ask for.

    Yields:
        The options with one architecture, variant, batch and number of threads, and a folder that
        all configurations of a model share.
    """
    for architecture, variant in _models(options):
        with tempfile.TemporaryDirectory() as folder:
            for threads in options.threads:
                for batch in options.batch:
                    own = {"batch": batch, "threads": threads}
                    names = {"architecture": architecture, "variant": variant}
                    one = argparse.Namespace(**{**vars(options), **names, **own})
                    yield one, pathlib.Path(folder)


def configuration_name(run: Mapping[str, Any]) -> str:
    """Such as "MLPMixer S/16, batch 8, 1 thread"."""
    threads = "1 thread" if run["threads"] == 1 else f"{run['threads']} threads"
    return f"{run['architecture']} {run['variant']}, batch {run['batch']}, {threads}"


def measure(
    contenders: Sequence[Contender],
    options: argparse.Namespace,
    cpus: Sequence[int],
    facts: dict[str, Any],
    folder: pathlib.Path,
    tolerances: tuple[float, float],
) -> dict[str, Any]:
    """Starts the contenders, checks that they agree, and times them in turn.

    Args:
        contenders: list of `Contender`.
        options: the command-line options, with one configuration.
        cpus: numbers of the CPUs to run on, one per thread.
        facts: dict of facts about the machine.
        folder: path of a folder for the files of the model.
        tolerances: largest allowed relative difference of outputs, in float32 and in fewer bits.

    Returns:
        The run, for `report.markdown`.

    Raises:
        Disagreement: contenders compute different outputs.
        WorkerFailed: a contender failed while it was timed, or its interpreter does not run.
    """
    task = write_task(folder, options.architecture, options.variant, options.batch, cpus)
    missing: dict[str, list[str]] = {}
    failed: dict[str, str] = {}
    workers: dict[str, WorkerProcess] = {}
    with contextlib.ExitStack() as stack:
        for contender in contenders:
            missing_here = _missing(contender, task, options)
            if missing_here:
                missing[contender.name] = missing_here
                continue
            try:
                worker = _worker(contender, task, options)
            except WorkerFailed as error:
                print(error, file=sys.stderr, flush=True)
                failed[contender.name] = str(error).strip().splitlines()[-1]
                continue
            workers[contender.name] = stack.enter_context(worker)
        inexact = {each.name for each in contenders if each.precision != "float32"}
        outputs = {name: worker.output for name, worker in workers.items()}
        differences = compare(outputs, inexact, tolerances)
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
        "failed": failed,
    }


def lack(contender: Contender, task: Task) -> str | None:
    """Why a contender cannot run the task, besides its libraries; None if it can."""
    if "timm" in contender.libraries and task.timm is None:
        return "timm has no such network"
    if contender.name == "openvino_bf16" and not has_bfloat16():
        return "bfloat16 in the processor"
    return None


def compare(
    outputs: Mapping[str, Any], inexact: set[str], tolerances: tuple[float, float]
) -> dict[str, float]:
    """Relative differences of the outputs from the baseline's; without it, the first contender's.

    Args:
        outputs: from the name of a contender to its output.
        inexact: names of those that do not compute in float32.
        tolerances: largest allowed difference of the others, and of these.

    Raises:
        Disagreement: a difference is larger.
    """
    if not outputs:
        return {}
    names = sorted(outputs, key=lambda name: (name in inexact, name != BASELINE))
    first = {names[0]: outputs[names[0]]}
    exact = {name: outputs[name] for name in names if name not in inexact}
    rounded = {name: outputs[name] for name in names if name in inexact}
    return {
        **check_agreement(first | exact, tolerances[0]),
        **check_agreement(first | rounded, tolerances[1]),
    }


def _models(options: argparse.Namespace) -> list[tuple[str, str]]:
    variants = options.variant
    if len(variants) == 1:
        variants = variants * len(options.architecture)
    return list(zip(options.architecture, variants, strict=True))


def _missing(contender: Contender, task: Task, options: argparse.Namespace) -> list[str]:
    architectures = contender.architectures
    if architectures is not None and options.architecture not in architectures:
        return [f"{contender.libraries[0]} has no such network"]
    reason = lack(contender, task)
    if reason:
        return [reason]
    return missing_libraries(_interpreter(contender, options), contender.libraries)


def _worker(contender: Contender, task: Task, options: argparse.Namespace) -> WorkerProcess:
    python = _interpreter(contender, options)
    if contender.form:
        file = _in_form(contender.form, task, python)
        task = dataclasses.replace(task, model=str(file))
    return WorkerProcess(contender, task, python, options.seconds)


def _interpreter(contender: Contender, options: argparse.Namespace) -> str:
    for library, option in _INTERPRETERS.items():
        if library in contender.libraries:
            python: str = getattr(options, option)
            return python
    return sys.executable


def _in_form(form: str, task: Task, python: str) -> pathlib.Path:
    """The model of a task in another form; its file is written once."""
    source = pathlib.Path(task.model)
    more: tuple[str, ...] = ()
    name = form
    if form.startswith("litert"):  # which fixes the batch size
        name, more = f"{form}-{task.batch}.tflite", ("--batch-size", str(task.batch))
    elif form == "onnx":
        name = "model.onnx"
    elif form == "openvino-int8":
        more = ("--calibration-images", str(calibration_file(task)))
    path = source.with_name(name)
    return path if path.exists() else convert(source, form, path, python, *more)
