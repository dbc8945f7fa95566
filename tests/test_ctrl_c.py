"""Ctrl-C ends every program with one line and exit code 130, and leaves nothing half-written."""

import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PACKAGES = ("training", "saved_models", "keras_mlp", "benchmarks", "examples", "documentation")
# Started in other ways: by `keras-mlp`, and by programs that show its output only if it fails.
OTHERS = {"keras_mlp.programs", "training.studies.train_one", "benchmarks.start_stages"}
PROGRAMS = sorted(
    {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
        for package in PACKAGES
        for file in (ROOT / package).rglob("*.py")
        if '\nif __name__ == "__main__":' in file.read_text()
    }
    - OTHERS
)
# What `python -m` does, up to the first call of a program that takes time: a module that is
# neither Python's nor ours, or the options, or what a worker reads from its parent. There Ctrl-C
# comes. Every program runs in a fork of one process.
PRESS_IN_ALL = """
import argparse, copy, json, os, runpy, signal, sys, tempfile, traceback
import numpy  # quick, and imported before the options are read

OURS = json.loads(sys.argv[2])

def press(*arguments, **options):
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(9):
        pass
    raise AssertionError("Ctrl-C did nothing")

class Finder:
    def find_spec(name, path=None, target=None):
        package = name.partition(".")[0]
        if package not in (*sys.stdlib_module_names, *OURS, "__main__"):
            press()

class Input:
    readline = press

def run(program):
    sys.stdin = Input
    argparse.ArgumentParser.parse_args = press
    sys.meta_path.insert(0, Finder)
    try:
        if program.startswith("keras-mlp "):
            sys.argv = program.split()
            runpy.run_path("keras_mlp/programs", run_name="__main__")
        else:
            # As Python has them while it looks for the module.
            sys.argv, sys.orig_argv = ["-m"], ["python", "-m", program]
            runpy.run_module(program, run_name="__main__")
    except SystemExit as end:
        return end.code
    except BaseException:
        traceback.print_exc()
        return 1
    return 0

results = {}
for program in json.loads(sys.argv[1]):
    with tempfile.TemporaryFile("w+") as printed:
        child = os.fork()
        if not child:
            os.dup2(printed.fileno(), 1)
            os.dup2(printed.fileno(), 2)
            code = run(program)
            sys.stderr.flush()
            os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        printed.seek(0)
        results[program] = code, printed.read()
print(json.dumps(results))
"""
UNDER_ONE_COMMAND = ["keras-mlp train", "keras-mlp launch", "keras-mlp arrays", "keras-mlp make"]


@pytest.fixture(scope="module")
def results():
    """From a program to its exit code and output."""
    programs = json.dumps([*PROGRAMS, *UNDER_ONE_COMMAND])
    command = [sys.executable, "-c", PRESS_IN_ALL, programs, json.dumps(PACKAGES)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_all_programs_are_found():
    expected = {"training.data.arrays", "keras_mlp", "keras_mlp.convert", "examples.text"}
    assert expected | {"benchmarks.worker", "documentation.families"} <= set(PROGRAMS)
    assert len(PROGRAMS) > 50


@pytest.mark.parametrize("program", [*PROGRAMS, *UNDER_ONE_COMMAND])
def test_ctrl_c_is_one_line(results, program):
    code, printed = results[program]
    assert code == 130, printed
    assert printed.strip() == "Ended by Ctrl-C. What was written before is whole."
