"""Do MLPs mix words as they mix patches? Masked bytes with a gMLP, a Mixer and a transformer.

    python -m examples.text --seeds 0 1 2 --json text.json

Some bytes of a text are hidden, and a model names them from those around them (BERT's task, on
bytes). The three models are built from the blocks of GMLP, MLPMixer and ViT, with equal depth and
width and nearly equal parameters, and train for the same steps. The text is the documentation that
ships with Python, or a file of yours (`--file`); its last tenth is held out. A perplexity of 1 is
perfect, 256 knows nothing. `--from text.json` prints the table of such a file again.
"""

import argparse
import math
import pathlib
import pydoc_data.topics
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

import keras_mlp
from keras_mlp.json_files import json_text
from keras_mlp.typing import Array, Config, Shape, Tensor
from training.reports.provenance import provenance
from training.studies.results import stored_results, write_results

PROGRAM = "examples.text"
MASK, BYTES = 256, 256
HIDDEN_SHARE = 0.15
HEADS = 4
LEARNING_RATE = 2e-3


@keras.saving.register_keras_serializable("examples")
class SinePositions(layers.Layer):
    """Adds the fixed sines and cosines of Vaswani et al. (arXiv:1706.03762), for any length."""

    def call(self, inputs: Tensor) -> Tensor:
        length, width = inputs.shape[1:]
        angles = np.arange(length)[:, None] / 10_000 ** (np.arange(width // 2) / (width // 2))
        return inputs + ops.cast(np.concatenate([np.sin(angles), np.cos(angles)], 1), inputs.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> Config:
        return super().get_config()


def network(kind: str, length: int, width: int, depth: int, hidden: int) -> keras.Model:
    """A model from bytes, MASK where they are hidden, (B, S) to logits (B, S, 256).

    Args:
        kind: "gMLP", "Mixer" or "transformer".
        length: number of bytes S.
        width: channels of a byte.
        depth: number of blocks.
        hidden: width of the MLPs over channels.
    """
    blocks: dict[str, Callable[[], keras.Layer]] = {
        "gMLP": lambda: keras_mlp.GMLPBlock(channel_mlp_dim=hidden),
        "Mixer": lambda: keras_mlp.MixerBlock(token_mlp_dim=length, channel_mlp_dim=hidden),
        "transformer": lambda: keras_mlp.ViTBlock(num_heads=HEADS, channel_mlp_dim=hidden),
    }
    text = keras.Input((length,), dtype="int32", name="text")
    x = layers.Embedding(BYTES + 1, width, name="embedding")(text)
    if kind == "transformer":  # the others have weights of their own for every place
        x = SinePositions(name="positions")(x)
    for _ in range(depth):
        x = blocks[kind]()(x)
    x = layers.LayerNormalization(epsilon=1e-6, name="norm")(x)
    return keras.Model(text, layers.Dense(BYTES, name="head")(x), name=kind)


def matched(kind: str, length: int, width: int, depth: int, parameters: int) -> keras.Model:
    """The network of a kind whose parameters are nearest to a number, by the width of its MLPs."""

    def build(hidden: int) -> keras.Model:
        return network(kind, length, width, depth, hidden)

    # Parameters grow linearly with the width, so two counts give the rest.
    few, more = (keras_mlp.analysis.weightless(build, hidden).count_params() for hidden in (16, 32))
    hidden = 16 + 16 * (parameters - few) / (more - few)
    return build(max(2, 2 * round(hidden / 2)))  # gMLP splits it into halves


def texts(file: str | None) -> tuple[Array, Array]:
    """The bytes that are trained on, and those that are held out."""
    if file is None:
        content = "\n".join(pydoc_data.topics.topics.values()).encode()
    else:
        content = pathlib.Path(file).read_bytes()
    text = np.frombuffer(content, np.uint8).astype("int32")
    held_out = len(text) // 10
    return text[:-held_out], text[-held_out:]


def hide(text: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """The text with some bytes hidden, and 1 where they are."""
    is_hidden = np.asarray(rng.random(text.shape) < HIDDEN_SHARE)
    return np.where(is_hidden, MASK, text), is_hidden.astype("float32")


def batches(
    text: Array, length: int, batch_size: int, rng: np.random.Generator
) -> Iterator[tuple[Array, Array, Array]]:
    """Endless (hidden text, text, weights of the loss), from random places."""
    while True:
        starts = rng.integers(0, len(text) - length + 1, batch_size)
        whole = text[starts[:, None] + np.arange(length)]
        seen, is_hidden = hide(whole, rng)
        # So that the mean over all bytes is that over the hidden ones.
        yield seen, whole, is_hidden / HIDDEN_SHARE


def perplexity(model: keras.Model, text: Array, length: int) -> float:
    """Of the hidden bytes of a text; which ones are hidden is the same for every model."""
    rows = text[: len(text) // length * length].reshape(-1, length)
    seen, weights = hide(rows, np.random.default_rng(0))
    logits = model.predict(seen, batch_size=64, verbose=0)
    loss = keras.ops.convert_to_numpy(
        keras.losses.sparse_categorical_crossentropy(rows, logits, from_logits=True)
    )
    return float(math.exp((loss * weights).sum() / weights.sum()))


def train(model: keras.Model, text: Array, length: int, steps: int, batch: int, seed: int) -> None:
    """Fits a model with AdamW, warm-up and cosine decay to 0."""
    warmup = max(1, steps // 10)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warmup), warmup_target=LEARNING_RATE, warmup_steps=warmup
    )
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=0.05, global_clipnorm=1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    stream = batches(text, length, batch, np.random.default_rng(seed))
    model.fit(stream, steps_per_epoch=steps, epochs=1, shuffle=False, verbose=0)


def longer(model: keras.Model, length: int) -> keras.Model | None:
    """The same weights for a text of another length; None if they are made for one length."""
    layers_of_blocks = [each for each in model.layers if isinstance(each, keras_mlp.ViTBlock)]
    if not layers_of_blocks:
        return None
    first = layers_of_blocks[0]
    width, hidden = model.get_layer("embedding").output_dim, first.channel_mlp_dim
    again = network(model.name, length, width, len(layers_of_blocks), hidden)
    again.set_weights(model.get_weights())
    return again


def measure(
    kind: str, seed: int, parts: tuple[Array, Array], options: argparse.Namespace
) -> dict[str, Any]:
    """Trains one model with one seed: its parameters, perplexities and seconds."""
    keras.utils.set_random_seed(seed)
    sizes = options.length, options.width, options.depth
    # A transformer's usual MLP, four times as wide as the channels, sets the number for all.
    target = keras_mlp.analysis.weightless(network, "transformer", *sizes, 4 * options.width)
    model = matched(kind, *sizes, target.count_params())
    began = time.perf_counter()
    train(model, parts[0], options.length, options.steps, options.batch, seed)
    seconds = time.perf_counter() - began
    twice = longer(model, 2 * options.length)
    return {
        "model": kind,
        "seed": seed,
        "parameters": model.count_params(),
        "perplexity": perplexity(model, parts[1], options.length),
        "perplexity_at_twice_the_length": twice and perplexity(twice, parts[1], 2 * options.length),
        "seconds": round(seconds, 1),
    }


def table(runs: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown table: mean and range over seeds."""
    lines = [
        "| model | parameters | perplexity | at twice the length | seeds | seconds |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for kind in dict.fromkeys(run["model"] for run in runs):
        own = [run for run in runs if run["model"] == kind]
        twice = [run["perplexity_at_twice_the_length"] for run in own]
        shown = "cannot" if None in twice else _with_range(twice)
        found = _with_range([run["perplexity"] for run in own])
        seconds = statistics.median(run["seconds"] for run in own)
        lines.append(
            f"| {kind} | {own[0]['parameters']:,} | {found} | {shown} | {len(own)} "
            f"| {seconds:.0f} |"
        )
    return "\n".join(lines)


def _with_range(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if len(known) < len(values):  # JSON has no infinity
        return "not finite"
    values = known
    mean = f"{statistics.mean(values):.2f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.2f} to {max(values):.2f})"


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains every model with every seed, and prints a table."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.text",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], metavar="N")
    parser.add_argument("--steps", type=int, default=1000, help="of each training (1000)")
    parser.add_argument("--batch", type=int, default=32, help="texts in a step (32)")
    parser.add_argument("--length", type=int, default=128, help="bytes in a text (128)")
    parser.add_argument("--width", type=int, default=128, help="channels of a byte (128)")
    parser.add_argument("--depth", type=int, default=4, help="number of blocks (4)")
    parser.add_argument("--file", help="a text of yours; Python's documentation without it")
    parser.add_argument("--json", help="file for all runs")
    parser.add_argument("--from", dest="stored", metavar="FILE", help="train nothing; show this")
    options = parser.parse_args(arguments)
    if options.stored:
        try:
            print(stored_results([options.stored], PROGRAM, table))
        except (OSError, ValueError) as error:
            parser.error(str(error))
        return
    for name in ("steps", "batch", "length", "width", "depth"):
        if getattr(options, name) < 1:
            parser.error(f"`{name}` must be a positive integer, got {getattr(options, name)}.")
    if options.width % (2 * HEADS):
        parser.error(f"`width` must be a multiple of {2 * HEADS}, got {options.width}.")
    try:
        parts = texts(options.file)
    except OSError as error:
        parser.error(f"`file` {options.file} cannot be read: {error.strerror}.")
    if len(parts[1]) < 2 * options.length:
        parser.error(
            f"`file` must have at least {20 * options.length} bytes for texts of "
            f"{options.length}, got {len(parts[0]) + len(parts[1])}."
        )
    runs = []
    for seed in options.seeds:
        for kind in ("gMLP", "Mixer", "transformer"):
            measured = measure(kind, seed, parts, options)
            print(json_text(measured), flush=True)
            runs.append({**measured, **provenance()})
            if options.json:
                write_results(options.json, PROGRAM, vars(options), runs)
    print(f"\n{table(runs)}")


if __name__ == "__main__":
    main()
