"""The throughput of the input pipeline on JPEG files, in images per second and core, by stage:

    taskset -c 0 python -m benchmarks.input_pipeline --rounds 8

`training.data.pipeline.training_stream` on a folder of pictures of about 500 x 375 pixels, against
the same work in a hand-written tf.data pipeline (`plain_input.py`), in turn in one process. Each
stage adds one operation to the stage before it. Throughput is per second of CPU time, so other jobs
on the core change it little.
"""

import argparse
import json
import pathlib
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from benchmarks.photographs import write_photographs
from benchmarks.plain_input import plain_decoding, plain_stream
from benchmarks.report import machine_facts
from benchmarks.rounds import Sample, Summary, run_in_turn, summarise, time_calls
from training.config import Augment, Data
from training.data.image_folder import ImageFolder
from training.data.pipeline import load_splits, training_stream
from training.data.sources import open_source

SHAPE = (224, 224, 3)
DECODING = "decoding alone"
_PART: dict[str, Any] = {"crop": 0.08}
_FLIPPED: dict[str, Any] = {**_PART, "flip": True}
_RECOLOURED: dict[str, Any] = {**_FLIPPED, "policy": "randaugment", "operations": 2}
STAGES = {
    "whole picture, resized": Augment(),
    "random part, resized": Augment(**_PART),
    "flip": Augment(**_FLIPPED),
    "RandAugment": Augment(**_RECOLOURED),
    "MixUp, CutMix": Augment(**_RECOLOURED, mixup=0.8, cutmix=1.0),
}


def contenders(root: str | pathlib.Path, batch: int) -> dict[str, dict[str, tf.data.Dataset]]:
    """The pipelines to compare at each stage.

    Args:
        root: folder of `write_photographs`.
        batch: images per batch.

    Returns:
        A dict from stage to a dict from "ours" and "by hand" to endless datasets of batches.
    """
    data = Data(name="image_folder", data_dir=str(root), test_split="train", validation_percent=0)
    split = load_splits(data, SHAPE).train
    source = open_source(data)
    assert isinstance(source, ImageFolder)
    paths, labels = source.examples["train"]
    pairs = {DECODING: {"by hand": plain_decoding(paths, batch)}}
    for stage, augment in STAGES.items():
        pairs[stage] = {
            "ours": training_stream(split, batch_size=batch, seed=0, start_step=0, augment=augment),
            "by hand": plain_stream(paths, labels, split.num_classes, SHAPE, batch, augment),
        }
    return pairs


def sample(batches: tf.data.Dataset, seconds: float) -> Sample:
    """Times one turn of a dataset: a `Sample` in milliseconds of CPU time per batch."""
    options = tf.data.Options()
    # With one thread and no autotuning, neither pipeline reads further ahead than the other.
    options.threading.private_threadpool_size = 1
    options.autotune.enabled = False
    iterator = iter(
        batches.with_options(options)
    )  # a new one: an old one keeps working in the background
    return time_calls(lambda: next(iterator), seconds, threads=1).in_cpu_time()


def measure(
    pairs: Mapping[str, Mapping[str, tf.data.Dataset]], seconds: float, rounds: int
) -> dict[str, dict[str, Summary]]:
    """Maps each stage to the `Summary` of each contender; the baseline is "by hand"."""
    samplers = {
        (stage, name): lambda batches=batches: sample(batches, seconds)
        for stage, pair in pairs.items()
        for name, batches in pair.items()
    }
    samples = run_in_turn(samplers, rounds)
    return {
        stage: summarise({name: samples[stage, name] for name in pair}, "by hand")
        for stage, pair in pairs.items()
    }


def markdown(summaries: Mapping[str, Mapping[str, Summary]], batch: int) -> str:
    """A table of images per second and core."""
    lines = ["| stage | ours | by hand | ours / by hand | range over rounds |"]
    lines.append("|---|" + "---:|" * 4)
    for stage, pair in summaries.items():
        by_hand, ours = 1000 * batch / pair["by hand"].median, pair.get("ours")
        cells = ["-", f"{by_hand:.0f}", "-", "-"]
        if ours:
            cells[0], cells[2] = f"{1000 * batch / ours.median:.0f}", f"{ours.ratio:.3f}"
            cells[3] = f"{ours.lowest:.2f}-{ours.highest:.2f}"
        lines.append(f"| {stage} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.input_pipeline",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--pictures", type=int, default=256, help="files in the folder (256)")
    parser.add_argument("--batch", type=int, default=32, help="images per batch (32)")
    parser.add_argument("--seconds", type=float, default=3.0, help="minimum duration of a turn (3)")
    parser.add_argument("--rounds", type=int, default=8, help="number of turns of each (8)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as root:
        write_photographs(root, options.pictures)
        pairs = contenders(root, options.batch)
        print(markdown(measure(pairs, options.seconds, options.rounds), options.batch))
    print(json.dumps(machine_facts()))


if __name__ == "__main__":
    main()
