"""Milliseconds of an image against its number of tokens, for every architecture at one width:

    python -m benchmarks.tokens --json tokens.json

Models have random weights and patches of 16 pixels; sides of 224 to 896 pixels give 196 to 3,136
tokens. All of them run in turn, round after round, as a compiled function on the given number of
threads. The side of every grid must divide the width, which Vision Permutator needs.

`--picture` draws milliseconds against tokens. `--from` prints the table of such a JSON file again,
and draws its picture, without measuring:

    python -m benchmarks.tokens --from tokens.json --picture tokens.svg

With `--pair`, the Mixer and the ViT of one published size instead, both at the sides given and at
those of the Mixer paper's comparison, 448 and 512 pixels:

    python -m benchmarks.tokens --pair L/16 --sides 224 --json pair.json
"""

import argparse
import functools
import math
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import keras_mlp
from benchmarks.report import check_folder_of, machine_facts
from benchmarks.rounds import Sample, run_in_turn, summarise, time_calls
from benchmarks.stored_run import print_stored, program_parser, read_run
from benchmarks.tokens_picture import draw_tokens
from keras_mlp.arguments import check_choice, check_positive, check_positive_int
from keras_mlp.json_files import write_json

PROGRAM = "benchmarks.tokens"
PATCH = 16
# The Mixer paper fine-tunes Mixer-L/16 at 448 pixels and compares it with ViT-L/16 at 512.
PAPER_SIDES = {"MLPMixer": 448, "ViT": 512}
_HEAD = 64  # channels of an attention head, at most


def equal_width(name: str, side: int, width: int, layers: int) -> keras_mlp.VisionModel:
    """A model of an architecture with one stage and its published ratios.

    Args:
        name: key of `keras_mlp.ARCHITECTURES`.
        side: of the image in pixels, a multiple of the patch.
        width: channels of a token.
        layers: number of blocks.
    """
    sizes: dict[str, dict[str, Any]] = {
        "MLPMixer": {"token_mlp_dim": width // 2, "channel_mlp_dim": 4 * width},
        "ResMLP": {"channel_mlp_dim": 4 * width},
        "GMLP": {"channel_mlp_dim": 6 * width},
        "VisionPermutator": {"downsample": ()},
        "RepMLPNet": {"num_sharesets": (_sharesets(width),), "deployed": True},
        "FFOnly": {"channel_mlp_dim": 4 * width, "position_grid": None},
        "ConvMixer": {"kernel_size": 9},
        "ViT": {"channel_mlp_dim": 4 * width, "num_heads": _heads(width)},
    }
    in_stages = name in ("VisionPermutator", "RepMLPNet")
    architecture: Any = keras_mlp.ARCHITECTURES[name]
    model: keras_mlp.VisionModel = architecture(
        image_shape=(side, side, 3),
        patch_size=PATCH,
        num_layers=(layers,) if in_stages else layers,
        hidden_dim=(width,) if in_stages else width,
        **sizes[name],
    )
    return model


def _sharesets(width: int) -> int:
    """About one for 16 channels, as in the last stages of the published sizes."""
    return max(count for count in range(1, max(1, width // 16) + 1) if not width % count)


def _heads(width: int) -> int:
    return next(
        count for count in range(1, width + 1) if not width % count and width // count <= _HEAD
    )


def measure(
    makers: Sequence[tuple[str, int, Callable[[], keras_mlp.VisionModel]]],
    *,
    rounds: int,
    seconds: float,
    threads: int,
) -> list[dict[str, Any]]:
    """Times models on one image, in turn.

    Args:
        makers: (label, side of the image, function that builds the model) of each.
        rounds: number of turns of each.
        seconds: least time of a turn.
        threads: that TensorFlow uses, for the share of the CPU.

    Returns:
        A dict for each: `model`, `side`, `tokens`, `parameters`, `macs`; `milliseconds`, the median
        over the rounds, `lowest` and `highest`; `cpu_share`, the lowest; and all `samples`.
    """
    results, samplers = [], {}
    for number, (label, side, make) in enumerate(makers):
        model = make()
        cost = keras_mlp.analysis.cost(model)
        results.append(
            {
                "model": label,
                "side": side,
                "tokens": math.prod(model.grid),
                "parameters": cost.parameters,
                "macs": cost.macs,
            }
        )
        samplers[str(number)] = functools.partial(time_calls, _call(model), seconds, threads)
    found = run_in_turn(samplers, rounds)
    summaries = summarise(found, baseline="")
    for number, result in enumerate(results):
        turns: list[Sample] = found[str(number)]
        result["milliseconds"] = summaries[str(number)].median
        result["lowest"] = min(turn.milliseconds for turn in turns)
        result["highest"] = max(turn.milliseconds for turn in turns)
        result["cpu_share"] = min(turn.cpu_share for turn in turns)
        result["samples"] = turns
    return results


def _call(model: keras.Model) -> Callable[[], object]:
    images = tf.constant(np.random.default_rng(0).integers(0, 256, (1, *model.input_shape[1:])))
    call = tf.function(lambda: model(tf.cast(images, tf.float32), training=False))
    return lambda: call().numpy()


def markdown(run: Mapping[str, Any]) -> str:
    """The report of a run: facts, then one row for each model with a column for each size."""
    results = run["results"]
    lines = [f"- {name}: {value}" for name, value in run["facts"].items()]
    sizes = sorted({result["tokens"] for result in results})
    columns = ["ms (range over rounds)", *(f"{size:,} tokens" for size in sizes), "exponent"]
    lines += ["", f"| {' | '.join(columns)} |", "|---|" + "---:|" * (len(columns) - 1)]
    for label in dict.fromkeys(result["model"] for result in results):
        own = {result["tokens"]: result for result in results if result["model"] == label}
        cells = [_cell(own[size]) if size in own else "" for size in sizes]
        lines.append(f"| {label} | {' | '.join(cells)} | {_exponent(list(own.values()))} |")
    lines += ["", f"| 10^9 MACs | {' | '.join(columns[1:-1])} |"]
    lines += ["|---|" + "---:|" * len(sizes)]
    for label in dict.fromkeys(result["model"] for result in results):
        macs = {each["tokens"]: each["macs"] for each in results if each["model"] == label}
        cells = [f"{macs[size] / 1e9:.3g}" if size in macs else "" for size in sizes]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(result: dict[str, Any]) -> str:
    figures = (result[key] for key in ("milliseconds", "lowest", "highest"))
    median, lowest, highest = (f"{x:.3g}" if x < 1000 else f"{x:,.0f}" for x in figures)
    return f"{median} ({lowest} to {highest})"


def _exponent(results: Sequence[dict[str, Any]]) -> str:
    """Of the growth between the two largest sizes: 1 is linear, 2 quadratic."""
    if len(results) < 2:
        return ""
    last, largest = sorted(results, key=lambda result: result["tokens"])[-2:]
    growth = math.log(largest["milliseconds"] / last["milliseconds"])
    return f"{growth / math.log(largest['tokens'] / last['tokens']):.2f}"


def _makers(
    options: argparse.Namespace,
) -> list[tuple[str, int, Callable[[], keras_mlp.VisionModel]]]:
    if options.pair:
        return [
            (
                f"{name} {options.pair}",
                side,
                functools.partial(
                    keras_mlp.ARCHITECTURES[name].from_variant,
                    options.pair,
                    image_shape=(side, side, 3),
                ),
            )
            for name in PAPER_SIDES
            for side in sorted({*options.sides, PAPER_SIDES[name]})
        ]
    return [
        (name, side, functools.partial(equal_width, name, side, options.width, options.layers))
        for name in options.architectures
        for side in options.sides
    ]


def _check(options: argparse.Namespace) -> None:
    for name in ("width", "layers", "rounds", "threads"):
        check_positive_int(name, getattr(options, name))
    check_positive("seconds", options.seconds)
    for name in options.architectures:
        check_choice("architectures", name, keras_mlp.ARCHITECTURES)
    for side in options.sides:
        if check_positive_int("sides", side) % PATCH:
            raise ValueError(f"`sides` must be multiples of {PATCH}, got {side}.")
    if options.pair:
        both = set(keras_mlp.MLPMixer.variants) & set(keras_mlp.ViT.variants)
        check_choice("pair", options.pair, sorted(both))
    for name in ("json", "picture"):
        check_folder_of(name, getattr(options, name))
    if options.stored and options.json:
        raise ValueError("`--json` has nothing to write with `--from`, which measures nothing.")
    if options.picture and options.stored and len(options.stored) > 1:
        raise ValueError("`--picture` shows one run: give `--from` one file.")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints Markdown, and writes JSON if asked to; exits on an error."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = program_parser(PROGRAM, __doc__)
    add = parser.add_argument
    add("--architectures", nargs="+", default=list(keras_mlp.ARCHITECTURES), metavar="NAME")
    add("--sides", type=int, nargs="+", default=[224, 448, 672, 896], metavar="PIXELS")
    add("--width", type=int, default=336, help="channels of a token (336)")
    add("--layers", type=int, default=4, help="number of blocks (4)")
    add("--pair", default="", metavar="VARIANT", help="time Mixer and ViT of this variant instead")
    add("--rounds", type=int, default=5, help="number of turns of each model (5)")
    add("--seconds", type=float, default=1.0, help="least time of a turn (1)")
    add("--threads", type=int, default=1, help="that TensorFlow may use (1)")
    add("--json", help="file to write all samples to")
    add("--picture", metavar="FILE", help="SVG file to draw the milliseconds into")
    add("--from", nargs="+", dest="stored", metavar="FILE", help="show such JSON files again")
    options = parser.parse_args(arguments)
    try:
        _check(options)
        if options.stored:
            print_stored(options.stored, PROGRAM, markdown)
            if options.picture:
                run = read_run(options.stored[0], PROGRAM, markdown)
                draw_tokens(options.picture, run["results"])
            return
        tf.config.threading.set_intra_op_parallelism_threads(options.threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        results = measure(
            _makers(options),
            rounds=options.rounds,
            seconds=options.seconds,
            threads=options.threads,
        )
    except (ValueError, FileNotFoundError) as error:
        parser.error(str(error))
    except RuntimeError as error:  # TensorFlow has started with other threads
        sys.exit(f"error: {error}")
    facts = {
        **machine_facts(),
        "command": shlex.join(["python", "-m", PROGRAM, *arguments]),
        "load after": f"{os.getloadavg()[0]:.2f}",
        "versions": f"tensorflow {tf.__version__}, keras {keras.__version__}",
    }
    run = {"program": PROGRAM, "facts": facts, "results": results}
    print(markdown(run))
    if options.json:
        write_json(options.json, run)
    if options.picture:
        draw_tokens(options.picture, results)


if __name__ == "__main__":
    main()
