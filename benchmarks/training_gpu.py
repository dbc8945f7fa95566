"""Training steps and inference of 16-pixel patch models on one GPU, against timm's:

    python -m benchmarks.training_gpu --output speed --minutes 4 --batches 64 256

Ours run on Keras' JAX backend with the step of `training.train`, timm's through `torch.compile`;
all in bfloat16, from uint8 pixels, with AdamW, clipping and smoothed labels. Every model and side
has a process of its own. First all of them compile, beside each other; then one model after the
other is measured, both sides in turn, and its processes end. Writes `result.json` after each
model.
"""

import argparse
import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
import queue
import statistics
import subprocess
import sys
import threading
import time
import typing

from keras_mlp.json_files import write_json

PEAK_TFLOPS = 800.0  # of bfloat16 products, dense, as measured on these cards
MODES = ("train", "infer")


@dataclasses.dataclass(frozen=True)
class Pair:
    """One model on both sides.

    Attributes:
        name: of both.
        architecture, variant, arguments: ours.
        timm, timm_arguments: name of timm's, and what differs.
    """

    name: str
    architecture: str
    variant: str
    timm: str
    arguments: dict[str, typing.Any] = dataclasses.field(default_factory=dict)
    timm_arguments: dict[str, typing.Any] = dataclasses.field(default_factory=dict)


PAIRS = (
    Pair("Mixer-S/16", "MLPMixer", "S/16", "mixer_s16_224"),
    Pair("ResMLP-S12", "ResMLP", "S12", "resmlp_12_224"),
    Pair("ViT-S/16", "ViT", "S/16", "vit_small_patch16_224"),
    Pair("gMLP-S/16", "GMLP", "S/16", "gmlp_s16_224"),
    Pair("Mixer-B/16", "MLPMixer", "B/16", "mixer_b16_224"),
)
TOY = (
    Pair(
        "toy Mixer",
        "MLPMixer",
        "S/16",
        "mixer_s16_224",
        {"image_shape": (32, 32, 3)},
        {"img_size": 32},
    ),
)


class Side:
    """A process that holds one model, compiled, and measures when it is told to.

    Args:
        python: interpreter.
        module: of the program.
        order: what it compiles, as JSON.
        log: file that its standard error goes to.
        environment: variables besides those of this process.
    """

    def __init__(
        self,
        python: str,
        module: str,
        order: dict[str, typing.Any],
        log: pathlib.Path,
        environment: dict[str, str],
    ) -> None:
        with open(log, "w", encoding="utf-8") as errors:
            self.process = subprocess.Popen(
                [python, "-m", module, json.dumps(order)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **environment},
                text=True,
            )
        self.lines: queue.Queue[str] = queue.Queue()
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()

    def read(self, deadline: float) -> dict[str, typing.Any] | None:
        """Its next line, or None where it ends or none comes in time."""
        while True:
            try:
                line = self.lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return None
            if not line:
                return None
            if line.startswith("{"):
                return typing.cast(dict[str, typing.Any], json.loads(line))

    def ask(self, mode: str, batch: int, deadline: float) -> float | None:
        """Seconds of a step."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(f"{mode} {batch}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return None
        answer = self.read(deadline)
        return None if answer is None else answer.get("seconds")

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def end(self) -> None:
        """Ends the process."""
        self.process.kill()
        self.process.wait()
        self.listener.join()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def measure(
    pairs: typing.Sequence[Pair],
    batches: list[int],
    output: pathlib.Path,
    deadline: float,
    *,
    compile_share: float = 0.5,
    rounds: int = 3,
    timm_python: str = sys.executable,
    compile_only: bool = False,
) -> dict[str, typing.Any]:
    """Measures every pair; returns what `result.json` holds.

    Args:
        pairs: models.
        batches: images of a step.
        output: folder.
        deadline: of `time.monotonic`.
        compile_share: of the time until then that compiling may take.
        rounds: in which both sides are measured in turn.
        timm_python: interpreter that has PyTorch and timm.
        compile_only: end when all are compiled, or should be.
    """
    results: dict[str, typing.Any] = {}
    compile_share = 1.0 if compile_only else compile_share
    ready_by = time.monotonic() + compile_share * (deadline - time.monotonic())
    sides = {pair.name: _sides(pair, batches, output, timm_python) for pair in pairs}
    for name, both in sides.items():
        ready = {side: process.read(ready_by) for side, process in both.items()}
        results[name] = {"ready": ready, "rows": []}
    if compile_only:
        for both in sides.values():
            for process in both.values():
                process.end()
        return results
    for name, both in sides.items():
        row = results[name]
        for batch, mode in itertools.product(batches, MODES):
            if time.monotonic() > deadline:
                break
            seconds: dict[str, list[float]] = {side: [] for side in both}
            for _ in range(rounds):
                for side, process in both.items():
                    found = row["ready"][side] and process.ask(mode, batch, deadline)
                    if found:
                        seconds[side].append(found)
            row["rows"].append(_row(mode, batch, seconds, row["ready"]["ours"]))
        for process in both.values():
            process.end()
        write_json(output / "result.json", results, indent=1)
    return results


def _sides(
    pair: Pair, batches: list[int], output: pathlib.Path, timm_python: str
) -> dict[str, Side]:
    ours = {
        "architecture": pair.architecture,
        "variant": pair.variant,
        "arguments": pair.arguments,
        "batches": batches,
    }
    timm = {"name": pair.timm, "arguments": pair.timm_arguments, "batches": batches}
    name = pair.name.replace("/", "_").replace(" ", "_")
    of_ours = {"KERAS_BACKEND": "jax", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    of_timm = {"TORCHINDUCTOR_COMPILE_THREADS": "4"}
    return {
        "ours": Side(
            sys.executable,
            "benchmarks.training_gpu_ours",
            ours,
            output / f"{name}_ours.log",
            of_ours,
        ),
        "timm": Side(
            timm_python,
            "benchmarks.training_gpu_timm",
            timm,
            output / f"{name}_timm.log",
            of_timm,
        ),
    }


def _row(
    mode: str, batch: int, seconds: dict[str, list[float]], ours: dict[str, typing.Any] | None
) -> dict[str, typing.Any]:
    """Images per second and TFLOP/s of both sides, by the median of the rounds."""
    row: dict[str, typing.Any] = {"mode": mode, "batch": batch}
    medians = {side: statistics.median(each) for side, each in seconds.items() if each}
    # A product is two operations; the way back has twice the products of the way there.
    factor = 6 if mode == "train" else 2
    for side, median in medians.items():
        row[side] = {
            "ms": 1e3 * median,
            "images_per_second": batch / median,
            "rounds": seconds[side],
        }
        if ours:
            tflops = factor * ours["macs"] * batch / median / 1e12
            row[side] |= {"tflops": tflops, "share_of_peak": tflops / PEAK_TFLOPS}
    if len(medians) == 2:
        row["speed_over_timm"] = medians["timm"] / medians["ours"]
    return row


def main(arguments: list[str] | None = None) -> None:
    began = time.monotonic()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training_gpu",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--output", default="speed", type=pathlib.Path)
    parser.add_argument("--minutes", type=float, default=4.0, help="the whole program's time")
    parser.add_argument("--batches", type=int, nargs="+", default=[256, 64])
    parser.add_argument("--models", nargs="+", choices=[pair.name for pair in PAIRS])
    parser.add_argument("--timm-python", default=sys.executable, help="with PyTorch and timm")
    parser.add_argument("--compile-only", action="store_true", help="fill the caches, no more")
    parser.add_argument("--toy", action="store_true", help="one small model, to try the program")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    chosen: tuple[Pair, ...] = TOY if options.toy else PAIRS
    if options.models:
        chosen = tuple(pair for pair in PAIRS if pair.name in options.models)
    results = measure(
        chosen,
        options.batches,
        options.output,
        began + 60 * options.minutes,
        timm_python=options.timm_python,
        compile_only=options.compile_only,
    )
    for name, result in results.items():
        for row in result["rows"]:
            rates = {side: row.get(side, {}).get("images_per_second") for side in ("ours", "timm")}
            print(name, row["mode"], row["batch"], rates, row.get("speed_over_timm"), flush=True)


if __name__ == "__main__":
    main()
