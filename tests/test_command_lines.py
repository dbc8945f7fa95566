"""Programs answer `--help` and wrong command lines at once, without importing TensorFlow."""

import json
import pathlib
import subprocess
import sys

import pytest

import keras_mlp
from keras_mlp import command_line
from keras_mlp.formats.__main__ import FORMATS

ROOT = pathlib.Path(__file__).parent.parent
PROGRAMS = sorted(
    f"{file.parent.name}.{file.stem}"
    for folder in ("training", "saved_models")
    for file in (ROOT / folder).glob("*.py")
    if '__name__ == "__main__"' in file.read_text()
)
LIBRARY_PROGRAMS = sorted(
    f"keras_mlp.{file.parent.name}"
    for file in (ROOT / "keras_mlp").glob("*/__main__.py")
    if file.parent.name != "programs"  # `keras-mlp`, which runs the others
)
PAGE = "training/configs/digits.py"
COMPARISON = "training/configs/compare_digits.py"
TRAIN = ["--config", PAGE, "--workdir", "run"]
COMPARE = ["--config", COMPARISON, "--workdir", "run"]
WRONG = [
    (
        "training.train",
        ["--config", PAGE, "--workdir", ""],
        "argument --workdir: must not be empty",
    ),
    (
        "training.train",
        ["--config", "", "--workdir", "run"],
        "argument --config: must not be empty",
    ),
    ("training.train", ["--config", "none.py", "--workdir", "run"], "no config page at none.py"),
    ("training.train", [*TRAIN, "--set", "optimizer.lr=1"], "'optimizer.learning_rate'"),
    ("training.train", [*TRAIN, "--set", "epochs=0"], "`epochs` must be a positive integer, got 0"),
    (
        "training.train",
        [*TRAIN, "--set", "model.arguments.foo=1"],
        "MLPMixer has no argument 'foo'. Allowed: 'image_shape'",
    ),
    ("training.train", [*TRAIN, "--set", "model.architecture=Mixer"], "Did you mean 'MLPMixer'?"),
    ("training.train", [*TRAIN, "--set", "model.variant=nano"], "Did you mean 'nano/4'?"),
    (
        "training.compare",
        [*COMPARE, "--set", "architectures=Mixer"],
        "`architectures` is 'Mixer'. Did you mean 'MLPMixer'?",
    ),
    (
        "training.compare",
        [*COMPARE, "--set", "demands.ViT={'heads': 3}"],
        "`model.arguments.heads`: ViT has no argument 'heads'. Did you mean 'num_heads'?",
    ),
    ("training.train", [*TRAIN, "--frobnicate"], "unrecognized arguments: --frobnicate"),
    ("training.compare", TRAIN, "defines no `CONFIG` of type training.config.Comparison"),
    ("training.compare", ["--config", PAGE], "required: --workdir"),
    ("training.compare", ["--from", "none"], "argument --from: none does not exist"),
    ("training.compare", [*TRAIN, "--from", "."], "not allowed with argument --config"),
    ("training.compare", [*TRAIN, "--jobs", "-1"], "`--jobs` must be 0 or a positive integer"),
    (
        "training.compare",
        ["--config", COMPARISON, "--workdir", "run", "--minutes", "-1"],
        "`minutes` must be a non-negative number",
    ),
    (
        "training.scaling",
        ["--config", COMPARISON, "--workdir", "run", "--percent", "1", "101"],
        "`--percent` must be above 0 and at most 100",
    ),
    ("training.scaling", ["--from", "none"], "argument --from: none does not exist"),
    (
        "training.permuted",
        ["--config", COMPARISON, "--workdir", "run", "--patch", "1"],
        "`--patch` must be at least 2 pixels, got 1",
    ),
    ("training.fewshot", ["--config", PAGE, "--output", "x"], "are required: --source"),
    (
        "training.fewshot",
        ["--config", PAGE, "--output", "x", "--source", ".", "--shots", "5", "0"],
        "`--shots` must be a positive integer, got 0",
    ),
    ("training.dry_run", ["--config", PAGE, "--images", "0"], "`--images` must be at least 1"),
    ("training.evaluate", ["--source", "none", "--config", PAGE], "`--source` none does not exist"),
    ("training.evaluate", ["--source", ".", "--folder", "none"], "`--folder` none does not exist"),
    ("training.evaluate", ["--source", ".", "--folder", ".", "--split", "train"], "`--split`"),
    (
        "training.evaluate",
        ["--source", ".", "--config", PAGE, "--output", ""],
        "--output: must not",
    ),
    ("training.finetune", [*TRAIN, "--source", "."], "of type training.config.FineTuneConfig"),
    ("training.image_sizes", [*TRAIN, "--source", "."], "of type training.config.ImageSizes"),
    ("training.any_size", TRAIN, "defines no `CONFIG` of type training.config.AnySize"),
    ("training.launch", ["--workers", "0", "--", *TRAIN], "--workers must be at least 1"),
    ("training.launch", ["--workers", "2", "--", *TRAIN, "--sett", "x"], "unrecognized arguments"),
    ("training.demo", ["--folder", ""], "argument --folder: must not be empty"),
    ("training.report", ["none"], "`RUN` none does not exist"),
    ("training.report", [".", "--output", "page.txt"], "`--output` page.txt must end with .html"),
    ("training.evaluate", ["--source", ".", "--config", PAGE, "--upright"], "are for `--folder`"),
    (
        "training.evaluate",
        ["--source", ".", "--folder", ".", "--max-pixels", "0"],
        "`--max-pixels` must be a positive integer, got 0",
    ),
    ("saved_models.make", ["none", "--output", "."], "`RUN` none does not exist"),
    ("saved_models.make", [".", "--output", ".", "--sizes", "32by48"], "must be HEIGHTxWIDTH"),
    ("saved_models.card", ["none"], "`PATH` none does not exist"),
    ("saved_models.publish", ["none", "--output", "."], "`PATH` none does not exist"),
    ("saved_models.index", ["more"], "unrecognized arguments: more"),
    ("keras_mlp.analysis", ["--architecture", "Mixer"], "Did you mean 'MLPMixer'?"),
    ("keras_mlp.analysis", ["--variant", "B/16"], "need `--architecture`"),
    ("keras_mlp.analysis", ["--sides", "a", "--variant", "B/16"], "need `--architecture`"),
    (
        "keras_mlp.analysis",
        ["--architecture", "ViT", "--variant", "B/16", "--sides", "8,a"],
        "`--sides` must be like 224,448",
    ),
    ("keras_mlp.analysis", ["--frobnicate"], "unrecognized arguments: --frobnicate"),
    ("keras_mlp.convert", ["x"], "required: --output"),
    ("keras_mlp.convert", ["x", "--output", ""], "argument --output: must not be empty"),
    ("keras_mlp.convert", ["x", "--output", "."], ". already exists; `--overwrite` replaces it."),
    ("keras_mlp.convert", ["x", "--output", "no/such"], "`--output` no/such: there is no folder"),
    ("keras_mlp.convert", [PAGE, "--output", "new"], "is a file: it needs `--architecture`"),
    (
        "keras_mlp.convert",
        ["none.npz", "--architecture", "ViT", "--output", "new"],
        "no checkpoint file at none.npz",
    ),
    ("keras_mlp.convert", ["x", "--output", "new", "--file", "none"], "no file at none"),
    ("keras_mlp.convert", ["x", "--output", "new", "--argument", "a"], "must be NAME=VALUE"),
    ("keras_mlp.formats", [PAGE, "--output", "new", "--format", "onnx"], "neither a .keras file"),
    ("keras_mlp.formats", ["x", "--output", "new", "--format", "tflite"], "invalid choice"),
    (
        "keras_mlp.formats",
        ["x", "--output", "new", "--format", "litert", "--batch-size", "0"],
        "`batch_size` must be a positive integer, got 0",
    ),
    (
        "keras_mlp.formats",
        ["x", "--output", "new", "--format", "onnx", "--batch-size", "2"],
        "`--batch-size` 2 is for `--format`",
    ),
    ("keras_mlp.export", [PAGE, "--output", "new"], "neither a .keras file"),
    ("keras_mlp.weights", ["--architecture", "Mixer"], "Did you mean 'MLPMixer'?"),
]
# One process for all command lines: the exit code and output of each, as JSON.
RUN_THEM_ALL = """
import contextlib, io, json, runpy, sys

is_ours = False  # whether the program is in the library itself

class Blocker:
    def find_spec(name, path=None, target=None):
        package = name.split(".")[0]
        if package in ("keras", "tensorflow", "orbit", "matplotlib"):
            raise AssertionError(f"{name} is imported")
        # To look where it is does no harm. Its first line imports a module of its own.
        if name.startswith("keras_mlp.") and not is_ours:
            raise AssertionError("keras_mlp is imported, which imports Keras")

sys.meta_path.insert(0, Blocker)
results = []
for module, *arguments in json.loads(sys.argv[1]):
    is_ours = module.startswith("keras_mlp.")
    for name in [name for name in sys.modules if name.split(".")[0] == "keras_mlp"]:
        del sys.modules[name]
    # As `python -m` has them while it looks for a module.
    sys.argv, sys.orig_argv = ["-m", *arguments], ["python", "-m", module, *arguments]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            runpy.run_module(module, run_name="__main__")
            code = 0
        except SystemExit as end:
            code = end.code
    results.append((code, printed.getvalue()))
print(json.dumps(results))
"""


@pytest.fixture(scope="module")
def results():
    """From a command line, as a tuple of words, to its exit code and output."""
    lines = [[program, "--help"] for program in (*PROGRAMS, *LIBRARY_PROGRAMS)]
    lines += [[program, *words] for program, words, _ in WRONG]
    command = [sys.executable, "-c", RUN_THEM_ALL, json.dumps(lines)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(zip(map(tuple, lines), json.loads(done.stdout), strict=True))


def test_all_programs_are_found():
    assert {"training.train", "training.evaluate", "saved_models.index"} <= set(PROGRAMS)
    assert len(PROGRAMS) >= 14
    assert list(command_line._PROGRAMS) == LIBRARY_PROGRAMS


@pytest.mark.parametrize("program", [*PROGRAMS, *LIBRARY_PROGRAMS])
def test_help_imports_no_tensorflow(results, program):
    code, printed = results[program, "--help"]
    assert code == 0 and printed.startswith(f"usage: python -m {program}")


@pytest.mark.parametrize(("program", "words", "message"), WRONG)
def test_a_wrong_command_line_imports_no_tensorflow(results, program, words, message):
    code, printed = results[program, *words]
    if isinstance(code, str):  # as `sys.exit(text)` leaves it
        assert code.startswith("error: ") and "\n" not in code
        printed = code
    elif code == 1:
        assert printed.startswith("error: ") and printed.count("\n") == 1
    else:
        assert code == 2
    assert message in printed


@pytest.mark.parametrize("name", ["-mkeras_mlp.formats", "-m keras_mlp.formats.__main__"])
def test_a_process_of_a_library_program_imports_no_keras(name):
    command = [sys.executable, "-X", "importtime", *name.split(), "--frobnicate"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "error: the following arguments are required" in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in lines}
    assert "keras_mlp" in imported and not imported & {"keras", "tensorflow"}


@pytest.mark.parametrize("arguments", [["-m"], ["-m", "--help"], ["-m", *[""] * 9]])
@pytest.mark.parametrize("name", ["mine", "keras_mlp", "keras_mlp.convert.card"])
def test_other_programs_get_the_whole_library(name, arguments, monkeypatch):
    monkeypatch.setattr(sys, "argv", arguments)
    for original in (["python", "-m", name, *arguments[1:]], []):  # none if embedded
        monkeypatch.setattr(sys, "orig_argv", original)
        command_line.check_program()


def test_names_that_need_no_keras_are_those_that_do():
    assert tuple(keras_mlp.ARCHITECTURES) == command_line.ARCHITECTURES
    assert tuple(FORMATS) == command_line.FORMATS
