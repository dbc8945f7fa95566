"""Programs answer `--help` and wrong command lines at once, without importing TensorFlow."""

import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PROGRAMS = sorted(
    f"{file.parent.name}.{file.stem}"
    for folder in ("training", "saved_models")
    for file in (ROOT / folder).glob("*.py")
    if '__name__ == "__main__"' in file.read_text()
)
PAGE = "training/configs/digits.py"
TRAIN = ["--config", PAGE, "--workdir", "run"]
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
    ("training.train", [*TRAIN, "--frobnicate"], "unrecognized arguments: --frobnicate"),
    ("training.compare", TRAIN, "defines no `CONFIG` of type training.config.Comparison"),
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
]
# One process for all command lines: the exit code and output of each, as JSON.
RUN_THEM_ALL = """
import contextlib, io, json, runpy, sys

class Blocker:
    def find_spec(name, path=None, target=None):
        if name.split(".")[0] in ("keras", "keras_mlp", "tensorflow", "orbit", "matplotlib"):
            raise AssertionError(f"{name} is imported")

sys.meta_path.insert(0, Blocker)
results = []
for module, *arguments in json.loads(sys.argv[1]):
    sys.argv = ["program", *arguments]
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
    lines = [[program, "--help"] for program in PROGRAMS]
    lines += [[program, *words] for program, words, _ in WRONG]
    command = [sys.executable, "-c", RUN_THEM_ALL, json.dumps(lines)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(zip(map(tuple, lines), json.loads(done.stdout), strict=True))


def test_all_programs_are_found():
    assert {"training.train", "training.evaluate", "saved_models.index"} <= set(PROGRAMS)
    assert len(PROGRAMS) >= 14


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_imports_no_tensorflow(results, program):
    code, printed = results[program, "--help"]
    assert code == 0 and printed.startswith(f"usage: python -m {program}")


@pytest.mark.parametrize(("program", "words", "message"), WRONG)
def test_a_wrong_command_line_imports_no_tensorflow(results, program, words, message):
    code, printed = results[program, *words]
    if isinstance(code, str):  # as `sys.exit(text)` leaves it
        assert code.startswith("error: ") and "\n" not in code
        printed = code
    else:
        assert code == 2
    assert message in printed
