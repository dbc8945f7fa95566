"""`keras-mlp PROGRAM OPTIONS`: runs one of the programs below, from a wheel or from a checkout.

The programs of training/ and saved_models/ import each other as `training` and `saved_models`, and
so do the pages that users write. Python finds these names because it runs this folder as an
application: the folder that holds them is first on the path of this process, and of no other.
"""

import dataclasses
import difflib
import importlib.metadata
import os
import pathlib
import runpy
import sys

HERE = pathlib.Path(__file__).resolve().parent
LIBRARY = HERE.parent
# A wheel has training/ and saved_models/ next to this file, a checkout at its root.
FOLDER = HERE if (HERE / "training").is_dir() else LIBRARY.parent
BY_CTRL_C = 130  # 128 + SIGINT, as shells count
# Modules that `pip install keras_mlp` leaves out; the extra "training" brings them.
OF_EXTRA_TRAINING = ("orbit", "official", "tensorflow_datasets", "sklearn", "matplotlib", "tqdm")


@dataclasses.dataclass(frozen=True)
class Program:
    """A program, and what the list of all programs says about it."""

    module: str
    purpose: str


PROGRAMS = {
    "train": Program("training.train", "train a model, or resume its training"),
    "finetune": Program(
        "training.finetune", "train on your own pictures, or fine-tune a saved model"
    ),
    "evaluate": Program("training.evaluate", "evaluate a saved model on a data set or on pictures"),
    "compare": Program("training.compare", "train several architectures on one budget"),
    "image-sizes": Program("training.image_sizes", "try trained models at other image sizes"),
    "fewshot": Program("training.fewshot", "measure frozen features with a few images per class"),
    "scaling": Program("training.scaling", "measure accuracy against the number of images"),
    "permuted": Program("training.permuted", "measure what a model owes to the order of pixels"),
    "pareto": Program("training.pareto", "draw accuracy against cost, from a comparison"),
    "any-size": Program("training.any_size", "compare one model of every size with others"),
    "dry-run": Program("training.dry_run", "take two real steps of a page"),
    "launch": Program("training.launch", "train in several processes on this machine"),
    "report": Program("training.report", "write a run's report.html again, or compare runs"),
    "back-to-best": Program("training.back_to_best", "go on from a run's best point"),
    "demo": Program("training.demo", "every stage on real digits, in minutes"),
    "arrays": Program("training.data.arrays", "write a data set as one .npz file"),
    "make": Program("saved_models.make", "make an artefact from a run"),
    "verify": Program("saved_models.verify", "check artefacts, or single SavedModels of them"),
    "publish": Program("saved_models.publish", "prepare an artefact for a hub, or upload it"),
    "export": Program("keras_mlp.export", "write a .keras file as a SavedModel"),
    "formats": Program(
        "keras_mlp.formats", "convert a .keras file for another runtime, such as LiteRT or ONNX"
    ),
    "convert": Program("keras_mlp.convert", "convert a published file to a .keras file"),
    "presets": Program("keras_mlp.weights", "list published weights"),
    "analysis": Program("keras_mlp.analysis", "tables of what models cost"),
}
WIDTH = max(map(len, PROGRAMS))
HELP = "\n".join(
    [
        "usage: keras-mlp PROGRAM OPTIONS",
        "",
        *(f"  {name:{WIDTH}}  {program.purpose}" for name, program in PROGRAMS.items()),
        "",
        "`keras-mlp PROGRAM --help` lists the options.",
    ]
)


def main(arguments: list[str]) -> None:
    """Runs a program, or prints help, or ends the process with an error.

    Args:
        arguments: of the command line.
    """
    if not arguments or arguments[0] in ("-h", "--help"):
        print(HELP)
        return
    name, *options = arguments
    if name == "--version":
        print(_version())
        return
    if name not in PROGRAMS:
        near = difflib.get_close_matches(name, PROGRAMS, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        sys.exit(f"error: {name!r} is not a program; {hint}`keras-mlp --help` lists them.")
    try:
        _run(name, options)
    except SystemExit as end:
        sys.exit(_as_called(end.code) if isinstance(end.code, str) else end.code)
    except KeyboardInterrupt:  # before the program notes Ctrl-C itself
        print("\nEnded by Ctrl-C. What was written before is whole.", file=sys.stderr)
        sys.exit(BY_CTRL_C)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in OF_EXTRA_TRAINING:
            raise
        sys.exit(
            f"error: `keras-mlp {name}` needs {error.name}: python -m pip install "
            "'keras_mlp[training]'"
        )


def _run(name: str, options: list[str]) -> None:
    module = PROGRAMS[name].module
    if module.startswith("keras_mlp."):
        # `python -m` also runs these; `keras_mlp/__init__.py` then answers before it loads Keras.
        os.execv(sys.executable, [sys.executable, "-P", "-m", module, *options])
    if FOLDER != HERE:
        sys.path.insert(0, str(FOLDER))
    # What programs call themselves; see `training.command_line.program_parser`.
    sys.argv = [f"keras-mlp {name}", *options]
    runpy.run_module(module, run_name="__main__")


def _as_called(text: str) -> str:
    """An error of a program, with the commands in it as the user types them."""
    for name, program in sorted(PROGRAMS.items(), key=lambda item: -len(item[1].module)):
        text = text.replace(f"python -m {program.module}", f"keras-mlp {name}")
    return text


def _version() -> str:
    return f"keras_mlp {importlib.metadata.version('keras_mlp')}"


if __name__ == "__main__":
    main(sys.argv[1:])
