"""The same weights give the same logits here and in the authors' code, at full size.

python -m benchmarks.authors_agreement -h. For the architectures that timm lacks: FF-only, Vision
Permutator and RepMLPNet. `save_checkpoint` writes our model in the authors' naming, and their model
loads the file. None of their code is in this repository: it is imported from clones.
"""

import argparse
import dataclasses
import functools
import pathlib
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from benchmarks.agreement import Disagreement, check_agreement
from benchmarks.report import machine_facts
from benchmarks.timm_agreement import TOLERANCE, Case, SideFailed, markdown, run_side
from keras_mlp import ARCHITECTURES, VisionModel, deploy, save_checkpoint
from keras_mlp.typing import Array


@dataclasses.dataclass(frozen=True)
class AuthorsCase(Case):
    """A model that both sides build; see `Case`.

    Attributes:
        file: the authors' file; its first folder is the name of the repository's clone.
        function: the function in that file that builds the model.
        form: "train" for the model as it is; "deployed" for its deployed form on both sides;
            "folded" if each side folds the training form with its own code.
    """

    file: str
    function: str
    form: str = "train"

    def build(self) -> keras.Model:
        """As in `Case`, and with random BatchNorm statistics, which folding uses."""
        model, rng = super().build(), np.random.default_rng(2)
        for weight in model.weights:
            if weight.path.endswith("/moving_mean"):
                weight.assign(rng.normal(0.0, 0.2, weight.shape))
            elif weight.path.endswith("/moving_variance"):
                weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        return model

    def call(self) -> tuple[dict[str, bool], str | None]:
        """Arguments of `function`, and the method to call after loading the weights, or None."""
        arguments = {"deploy": True} if self.form == "deployed" else {}
        return arguments, "locality_injection" if self.form == "folded" else None


def _case(
    architecture: str,
    variant: str,
    file: str,
    function: str,
    form: str = "train",
    noise: float = 0.05,
) -> AuthorsCase:
    name = variant if form == "train" else f"{variant}, {form}"
    model_class: type[VisionModel] = ARCHITECTURES[architecture]
    arguments = dict(model_class.variants[variant])
    return AuthorsCase(
        f"{architecture} {name}", architecture, arguments, noise, file, function, form
    )


def _ff_only(variant: str) -> AuthorsCase:
    file = "do-you-even-need-attention/vision_transformer_linear.py"
    return _case("FFOnly", variant, file, variant)


def _permutator(variant: str) -> AuthorsCase:
    function = f"vip_{variant.replace('/', '').lower()}"
    return _case("VisionPermutator", variant, "VisionPermutator/models/vip.py", function)


def _repmlpnet(variant: str, form: str) -> AuthorsCase:
    function = f"create_RepMLPNet_{variant}"
    noise = 0.02 if variant == "T224" else 0.01
    return _case("RepMLPNet", variant, "RepMLP/repmlpnet.py", function, form, noise)


CASES = (
    _ff_only("linear_tiny"),
    _ff_only("linear_base"),
    _permutator("S/7"),
    _permutator("M/7"),
    *(_repmlpnet("T224", form) for form in ("train", "deployed", "folded")),
    *(_repmlpnet("B256", form) for form in ("train", "deployed", "folded")),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Compares every case and prints Markdown; exits on an error."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    cases = [case for case in CASES if options.only in case.name]
    if not cases:
        sys.exit(f"error: `only` must be part of a case's name, got {options.only!r}.")
    side = functools.partial(run_side, options.torch_python, module="benchmarks.authors_side")
    try:
        commits = {name: _commit(options.clones / name) for name in _clones(cases)}
        rows, versions = [], dict[str, str]()
        for case in cases:
            print(f"{case.name} ...", file=sys.stderr, flush=True)
            row, versions = compare(case, options.clones, side)
            rows.append(row)
    except (Disagreement, SideFailed, FileNotFoundError) as error:
        sys.exit(f"error: {error}")
    backend = keras.backend.backend()
    facts = {
        **machine_facts(),
        "command": shlex.join(["python", "-m", "benchmarks.authors_agreement", *arguments]),
        "this side": f"keras {keras.__version__}, {backend} {sys.modules[backend].__version__}",
        "the authors' side": ", ".join(f"{name} {each}" for name, each in versions.items()),
        "the authors' commits": ", ".join(f"{name} {each}" for name, each in commits.items()),
    }
    print(markdown(rows, facts))


def compare(
    case: AuthorsCase, clones: str | pathlib.Path, side: Callable[[dict[str, Any]], dict[str, str]]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Compares a case.

    Args:
        case: an `AuthorsCase`.
        clones: folder with the clones of the authors' repositories.
        side: function from an order to the versions of the other side, such as `run_side` with an
            interpreter.

    Returns:
        A row of the table, a dict of "model", "parameters", "direction", "difference", "allowed"
        and "deviation"; and the versions.

    Raises:
        Disagreement: the logits differ by more than the tolerance, or are not finite.
        SideFailed: the other side failed.
    """
    keras.backend.clear_session()
    model = case.build()
    ours = model if case.form == "train" else deploy(model)
    with tempfile.TemporaryDirectory() as folder:
        saved = model if case.form == "folded" else ours
        order = order_for(case, saved, clones, pathlib.Path(folder))
        versions = side(order)
        logits = np.asarray(ours(np.load(order["images"])))
        return _row(case, ours, np.load(order["logits"]), logits), versions


def order_for(
    case: AuthorsCase, model: keras.Model, clones: str | pathlib.Path, folder: pathlib.Path
) -> dict[str, Any]:
    """Writes the inputs of the other side into a folder.

    Returns:
        A dict: "file", "function", "arguments" and "then", which build the authors' model; the
        paths of the input files "images" (B, H, W, C) and "weights"; and the path "logits" to
        write.
    """
    rng = np.random.default_rng(1)
    images = folder / "images.npy"
    np.save(images, rng.standard_normal((2, *model.image_shape), dtype="float32"))
    arguments, then = case.call()
    return {
        "file": str(pathlib.Path(clones).resolve() / case.file),
        "function": case.function,
        "arguments": arguments,
        "then": then,
        "images": str(images),
        "weights": str(save_checkpoint(model, folder / "weights.safetensors", "official")),
        "logits": str(folder / "logits.npy"),
    }


def _row(case: AuthorsCase, model: keras.Model, expected: Array, found: Array) -> dict[str, Any]:
    largest, deviation = float(np.abs(expected).max()), float(expected.std())
    allowed = TOLERANCE * max(1.0, deviation)
    outputs = {"the authors' code": expected, case.name: found}
    share = check_agreement(outputs, allowed / largest)[case.name]
    return {
        "model": case.name,
        "parameters": model.count_params(),
        "direction": "to the authors' code",
        "difference": share * largest,
        "allowed": allowed,
        "deviation": deviation,
    }


def _clones(cases: Sequence[AuthorsCase]) -> list[str]:
    return sorted({pathlib.PurePath(case.file).parts[0] for case in cases})


def _commit(clone: pathlib.Path) -> str:
    """The commit of a clone; FileNotFoundError if there is no clone."""
    if not clone.is_dir():
        raise FileNotFoundError(f"there is no clone at {clone}; see benchmarks/README.md.")
    command = ["git", "-C", str(clone), "rev-parse", "--short=12", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip() or "unknown"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.authors_agreement")
    parser.add_argument(
        "--torch-python", required=True, help="path of a Python interpreter with torch and timm"
    )
    parser.add_argument(
        "--clones",
        required=True,
        type=pathlib.Path,
        help="folder with clones of the authors' repositories, named like them",
    )
    parser.add_argument(
        "--only", default="", help="compare only cases whose name contains this text"
    )
    return parser


if __name__ == "__main__":
    main()
