"""What one image costs every model of a comparison: multiply-accumulates and CPU milliseconds.

    python -m benchmarks.latency --config training/configs/tradeoffs_fashion_mnist.py \\
        --classes 10 --json latency.json

The models are those of a page of `training.compare`, with random weights, which cost what trained
ones do. RepMLPNet is deployed first. They run in turn, round after round, on one thread, as LiteRT
files in float32 and with int8 weights (dynamic range): in TensorFlow, the call of a model this
small takes longer than its kernels. LiteRT needs `pip install 'keras_mlp[litert]'`. `--from` prints
the table of such a file again, and `python -m training.pareto` draws accuracy against these costs.

Milliseconds are CPU time of the thread: on a busy machine they grow far less than wall time.
"""

import argparse
import functools
import importlib.metadata
import importlib.util
import os
import pathlib
import shlex
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import keras_mlp
from benchmarks.formats import without_zeros
from benchmarks.graph_products import graph_products
from benchmarks.report import check_folder_of, machine_facts
from benchmarks.rounds import Sample, run_in_turn, time_calls
from benchmarks.stored_run import print_stored, program_parser
from keras_mlp.arguments import check_positive, check_positive_int
from keras_mlp.formats import export_litert
from keras_mlp.json_files import write_json
from training.compare import check_comparison, model_names, single_run
from training.config import Comparison, load_config
from training.models.from_config import build_model

PROGRAM = "benchmarks.latency"
LITERT = "ai_edge_litert"
# From the name of a form to how `export_litert` quantizes it.
FORMS = {"float32": None, "int8": "dynamic_int8"}


def costs(
    comparison: Comparison, classes: int, *, rounds: int, seconds: float
) -> list[dict[str, Any]]:
    """Counts and times every model of a comparison.

    Args:
        comparison: a checked `training.config.Comparison`.
        classes: number of logits.
        rounds: number of turns of each model in each form.
        seconds: least time of a turn.

    Returns:
        A dict for each model: `architecture`, as `training.compare` stores it; `parameters`, as it
        trains; `macs` of one image, deployed; and for each of `float32` and `int8` a dict of
        `milliseconds`, the median over the rounds, `lowest`, `highest` and all `samples`.

    Raises:
        ValueError: a model of the page cannot be built, or its products cannot be counted.
    """
    found: list[dict[str, Any]] = []
    samplers: dict[tuple[str, str], Callable[[], Sample]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in model_names(comparison):
            model = build_model(single_run(comparison, name, 0).model, classes, "float32")
            without_zeros(model)  # a converter may drop what is multiplied by zero
            parameters = model.count_params()
            if isinstance(model, keras_mlp.RepMLPNet):
                model = keras_mlp.deploy(model)
            found.append({"architecture": name, "parameters": parameters, "macs": _macs(model)})
            for form, quantize in FORMS.items():
                file = pathlib.Path(folder) / f"{len(samplers)}.tflite"
                call = _litert_call(export_litert(model, file, quantize=quantize))
                samplers[name, form] = functools.partial(time_calls, call, seconds, 1)
        samples = run_in_turn(samplers, rounds)
    for result in found:
        result |= {form: _summary(samples[result["architecture"], form]) for form in FORMS}
    return found


def _macs(model: keras.Model) -> int:
    if isinstance(model, keras_mlp.VisionModel):
        return keras_mlp.analysis.cost(model).macs
    return sum(product.macs for product in graph_products(model))


def _litert_call(file: pathlib.Path) -> Callable[[], object]:
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(str(file), num_threads=1).get_signature_runner()
    (name, details), *_ = run.get_input_details().items()
    image = np.random.default_rng(0).integers(0, 256, details["shape"]).astype(details["dtype"])
    return lambda: run(**{name: image})


def _summary(turns: Sequence[Sample]) -> dict[str, Any]:
    milliseconds = [turn.cpu_milliseconds for turn in turns]
    return {
        "milliseconds": statistics.median(milliseconds),
        "lowest": min(milliseconds),
        "highest": max(milliseconds),
        "samples": turns,
    }


def markdown(run: Mapping[str, Any]) -> str:
    """The report of a run: facts, then a row for each model."""
    lines = [f"- {name}: {value}" for name, value in run["facts"].items()]
    return "\n".join([*lines, "", latency_table(run), ""])


def latency_table(run: Mapping[str, Any]) -> str:
    """A Markdown table with a row for each model."""
    lines = [
        "| architecture | parameters | MACs | float32, ms (range over rounds) "
        "| int8, ms (range over rounds) |",
        "|---|---:|---:|---:|---:|",
    ]
    for result in run["results"]:
        cells = [_cell(result[form]) for form in FORMS]
        lines.append(
            f"| {result['architecture']} | {result['parameters']:,} | {result['macs']:,} | "
            + f"{' | '.join(cells)} |"
        )
    return "\n".join(lines)


def _cell(found: Mapping[str, float]) -> str:
    return f"{found['milliseconds']:.3g} ({found['lowest']:.3g} to {found['highest']:.3g})"


def _check(options: argparse.Namespace) -> Comparison:
    for name in ("classes", "rounds"):
        check_positive_int(name, getattr(options, name))
    check_positive("seconds", options.seconds)
    check_folder_of("json", options.json)
    if importlib.util.find_spec(LITERT) is None:
        raise ValueError(f"{LITERT} is not installed: pip install 'keras_mlp[litert]'.")
    comparison = load_config(options.config, options.overrides, Comparison)
    check_comparison(comparison)
    return comparison


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints Markdown, and writes JSON if asked to; exits on an error."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = program_parser(PROGRAM, __doc__)
    add = parser.add_argument
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--config", help="a page of training.compare")
    task.add_argument("--from", nargs="+", dest="stored", metavar="FILE", help="print such files")
    add("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    add("--classes", type=int, default=10, help="number of logits (10)")
    add("--rounds", type=int, default=5, help="number of turns of each model (5)")
    add("--seconds", type=float, default=0.5, help="least time of a turn (0.5)")
    add("--json", help="file to write all samples to")
    options = parser.parse_args(arguments)
    try:
        if options.stored:
            print_stored(options.stored, PROGRAM, markdown)
            return
        comparison = _check(options)
        results = costs(
            comparison,
            options.classes,
            rounds=options.rounds,
            seconds=options.seconds,
        )
    except (ValueError, OSError) as error:
        parser.error(str(error))
    facts = {
        **machine_facts(),
        "command": shlex.join(["python", "-m", PROGRAM, *arguments]),
        "load after": f"{os.getloadavg()[0]:.2f}",
        "versions": f"ai-edge-litert {importlib.metadata.version('ai-edge-litert')}, "
        f"tensorflow {tf.__version__}, keras {keras.__version__}",
    }
    run = {"program": PROGRAM, "facts": facts, "results": results}
    print(markdown(run))
    if options.json:
        write_json(options.json, run)


if __name__ == "__main__":
    main()
