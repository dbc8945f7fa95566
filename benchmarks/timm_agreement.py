"""The same weights give the same logits here and in timm: python -m benchmarks.timm_agreement -h.

Both ways: timm loads our model from `save_checkpoint`, and `load_checkpoint` loads timm's model
into ours. timm builds the model from the file's metadata.
"""

import argparse
import dataclasses
import functools
import json
import pathlib
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import safetensors

from benchmarks.agreement import Disagreement
from benchmarks.report import machine_facts
from keras_mlp import ARCHITECTURES, VisionModel, load_checkpoint, save_checkpoint
from keras_mlp.typing import Array

_CHECKOUT = pathlib.Path(__file__).parents[1]
TOLERANCE = 2e-5  # of the largest difference, over the logits' deviation if that is above 1
_TOY = {"image_shape": (16, 24, 3), "patch_size": 4, "num_layers": 2, "hidden_dim": 16}
_GAP = {"class_token": False, "pooling": "avg"}


@dataclasses.dataclass(frozen=True)
class Case:
    """A model that both sides build.

    Attributes:
        name: its name in the report.
        architecture: key of `keras_mlp.ARCHITECTURES`.
        arguments: arguments of the constructor.
        noise: standard deviation of the noise on all weights, so that no zero hides a difference;
            chosen to give logits of magnitude 1.
    """

    name: str
    architecture: str
    arguments: dict[str, Any]
    noise: float

    def build(self) -> keras.Model:
        """Builds a model that takes normalised images, with noise on all its weights."""
        arguments = {**self.arguments, "include_preprocessing": False}
        model = ARCHITECTURES[self.architecture](**arguments)
        rng = np.random.default_rng(0)
        for weight in model.weights:
            noise = self.noise * rng.standard_normal(weight.shape, dtype="float32")
            weight.assign(np.asarray(weight) + noise)
        return model


class SideFailed(Exception):
    """The interpreter with PyTorch failed; the message holds the end of its output."""


def _toy(name: str, architecture: str, **arguments: Any) -> Case:
    return Case(f"toy {name}", architecture, {**_TOY, "num_classes": 5, **arguments}, 0.3)


def _published(name: str, architecture: str, variant: str, **arguments: Any) -> Case:
    model_class: type[VisionModel] = ARCHITECTURES[architecture]
    arguments = {**model_class.variants[variant], **arguments}
    return Case(name, architecture, arguments, 0.05)


_VIT = {"num_heads": 2, "channel_mlp_dim": 40}
CASES = (
    _toy("Mixer", "MLPMixer", token_mlp_dim=12, channel_mlp_dim=33),
    _toy(
        "Mixer, tanh GELU",
        "MLPMixer",
        token_mlp_dim=12,
        channel_mlp_dim=33,
        gelu_approximate=True,
    ),
    _toy("ResMLP", "ResMLP", channel_mlp_dim=40),
    _toy("gMLP", "GMLP", channel_mlp_dim=40),
    _toy("ViT, class token", "ViT", **_VIT),
    _toy("ViT, mean of normalised tokens", "ViT", **_VIT, **_GAP),
    _toy("ViT, norm of the mean", "ViT", **_VIT, **_GAP, norm_after_pooling=True),
    _toy("ViT, layer scale", "ViT", **_VIT, layer_scale_init_value=0.1),
    _toy("ConvMixer", "ConvMixer", kernel_size=5),
    _published("mixer_b16_224", "MLPMixer", "B/16"),
    _published("mixer_l16_224", "MLPMixer", "L/16"),
    _published("resmlp_12_224", "ResMLP", "S12"),
    _published("resmlp_24_224", "ResMLP", "S24"),
    _published("gmlp_s16_224", "GMLP", "S/16"),
    _published("vit_small_patch16_224", "ViT", "S/16"),
    _published("vit_base_patch16_224", "ViT", "B/16"),
    _published("convmixer_768_32", "ConvMixer", "768/32"),
    _published("convmixer_1024_20_ks9_p14", "ConvMixer", "1024/20"),
    _published(
        "vit_base_patch16_224, norm of the mean", "ViT", "B/16", **_GAP, norm_after_pooling=True
    ),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Compares every case and prints Markdown; exits on an error."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    cases = [case for case in CASES if options.only in case.name]
    if not cases:
        sys.exit(f"error: `only` must be part of a case's name, got {options.only!r}.")
    side = functools.partial(run_side, options.torch_python)
    rows, versions = list[dict[str, Any]](), dict[str, str]()
    try:
        for case in cases:
            print(f"{case.name} ...", file=sys.stderr, flush=True)
            found, versions = compare(case, side)
            rows += found
    except (Disagreement, SideFailed) as error:
        sys.exit(f"error: {case.name}: {error}")
    facts = {
        **machine_facts(),
        "command": shlex.join(["python", "-m", "benchmarks.timm_agreement", *arguments]),
        "this side": _versions(
            {"keras": keras.__version__, keras.backend.backend(): _backend_version()}
        ),
        "timm's side": _versions(versions),
    }
    print(markdown(rows, facts))


def compare(
    case: Case, side: Callable[[dict[str, Any]], dict[str, str]]
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Compares a case both ways.

    Args:
        case: a `Case`.
        side: function from an order to the versions of the other side, such as `run_side` with an
            interpreter.

    Returns:
        A pair: two rows of the table, dicts of "model", "parameters", "direction", "difference",
        "allowed" and "deviation"; and the versions.

    Raises:
        Disagreement: the logits differ by more than the tolerance, or are not finite.
        SideFailed: the other side failed.
    """
    keras.backend.clear_session()
    model = case.build()
    with tempfile.TemporaryDirectory() as folder:
        order = order_for(model, case.noise, pathlib.Path(folder))
        images = np.load(order["images"])
        logits = np.asarray(model(images))
        versions = side(order)
        rows = [_row(case, model, "to timm", logits, np.load(order["logits_of_keras_weights"]))]
        load_checkpoint(model, order["timm_weights"])
        loaded = np.asarray(model(images))
        rows.append(_row(case, model, "from timm", np.load(order["timm_logits"]), loaded))
    return rows, versions


def order_for(model: keras.Model, noise: float, folder: pathlib.Path) -> dict[str, Any]:
    """Writes the inputs of the other side into a folder.

    Returns:
        A dict: "call", which builds timm's model; "noise", to add to its initial weights; the paths
        of the input files "images" (B, H, W, C) and "keras_weights"; and the paths to write:
        "timm_weights" (after adding the noise), their "timm_logits", and
        "logits_of_keras_weights".
    """
    rng = np.random.default_rng(1)
    images = rng.standard_normal((2, *model.image_shape), dtype="float32")
    np.save(folder / "images.npy", images)
    weights = save_checkpoint(model, folder / "keras_weights.safetensors")
    with safetensors.safe_open(weights, "numpy") as file:
        call = json.loads(file.metadata()["timm"])
    files = {
        "images": "images.npy",
        "keras_weights": weights.name,
        "timm_weights": "timm_weights.safetensors",
        "timm_logits": "timm_logits.npy",
        "logits_of_keras_weights": "logits_of_keras_weights.npy",
    }
    paths = {name: str(folder / file) for name, file in files.items()}
    return {"call": call, "noise": noise, **paths}


def run_side(
    python: str, order: dict[str, Any], module: str = "benchmarks.timm_side"
) -> dict[str, str]:
    """Runs the other side in another interpreter.

    Returns:
        A dict from library to version.

    Raises:
        SideFailed: the interpreter cannot be started, or fails.
    """
    path = pathlib.Path(order["images"]).with_name("order.json")
    path.write_text(json.dumps(order))
    try:
        done = subprocess.run(
            [python, "-m", module, str(path)], cwd=_CHECKOUT, capture_output=True, text=True
        )
    except OSError as error:
        raise SideFailed(f"{python} cannot be started: {error.strerror}.") from error
    if done.returncode != 0:
        raise SideFailed(f"{python} -m {module} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def markdown(rows: Sequence[dict[str, Any]], facts: dict[str, Any]) -> str:
    """The report: facts (name to value), then a table."""
    columns = ("model", "parameters", "direction", "max abs dy", "allowed", "std of logits")
    lines = [f"- {name}: {value}" for name, value in facts.items()]
    lines += ["", f"| {' | '.join(columns)} |", "|---|---:|---|---:|---:|---:|"]
    lines += [
        f"| {row['model']} | {row['parameters']:,} | {row['direction']} | {row['difference']:.1e} "
        f"| {row['allowed']:.1e} | {row['deviation']:.2f} |"
        for row in rows
    ]
    return "\n".join(lines)


def _row(
    case: Case, model: keras.Model, direction: str, expected: Array, found: Array
) -> dict[str, Any]:
    deviation = float(expected.std())
    allowed = TOLERANCE * max(1.0, deviation)
    if found.shape != expected.shape:
        raise Disagreement(f"{direction}: {found.shape} instead of {expected.shape}.")
    difference = float(np.abs(found - expected).max())
    if not difference <= allowed:  # so that NaN fails too
        raise Disagreement(f"{direction}: differs by {difference:.1e}; allowed {allowed:.1e}.")
    return {
        "model": case.name,
        "parameters": model.count_params(),
        "direction": direction,
        "difference": difference,
        "allowed": allowed,
        "deviation": deviation,
    }


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _backend_version() -> str:
    return sys.modules[keras.backend.backend()].__version__


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.timm_agreement")
    parser.add_argument(
        "--torch-python", required=True, help="path of a Python interpreter with torch and timm"
    )
    parser.add_argument(
        "--only", default="", help="compare only cases whose name contains this text"
    )
    return parser


if __name__ == "__main__":
    main()
