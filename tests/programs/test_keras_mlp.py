"""The command `keras-mlp`: finding programs, pages by name, and errors in its own words."""

import configparser
import os
import pathlib
import runpy
import subprocess
import sys

import pytest

from tests.test_command_lines import LIBRARY_PROGRAMS
from tests.test_command_lines import PROGRAMS as MODULES
from training.config import load_config, page_names

ROOT = pathlib.Path(__file__).parents[2]
FOLDER = ROOT / "keras_mlp" / "programs"
PROGRAMS = runpy.run_path(str(FOLDER / "__main__.py"))["PROGRAMS"]
# They write into the checkout, or describe it.
CHECKOUT_ONLY = {"saved_models.card", "saved_models.index"}


def keras_mlp(*arguments, cwd, options=()):
    """Runs the folder as the script does, with this checkout's keras_mlp; returns the process."""
    command = [sys.executable, *options, str(FOLDER), *arguments]
    # Modules of the folder itself come first.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(cwd), str(ROOT)])}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60
    )


def packages():
    """The packages that setup.cfg lists, and where it takes the mapped ones from."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    options = config["options"]
    pairs = (line.split(" = ") for line in options["package_dir"].split("\n") if line)
    return options["packages"].split(), dict(pairs)


def test_every_program_has_a_name():
    modules = {program.module for program in PROGRAMS.values()}
    assert {*MODULES, *LIBRARY_PROGRAMS} - modules == CHECKOUT_ONLY


def test_the_wheel_takes_every_package():
    listed, mapped = packages()
    sources = {"keras_mlp": "keras_mlp", **mapped}
    found = set()
    for package, folder in sources.items():
        for file in (ROOT / folder).rglob("__init__.py"):
            inside = file.parent.relative_to(ROOT / folder).parts
            found.add(".".join((package, *inside)))
    assert set(listed) == found and len(listed) == len(found)


def test_an_unknown_program_names_the_nearest(tmp_path):
    done = keras_mlp("trian", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        "error: 'trian' is not a program; did you mean 'train'? `keras-mlp --help` lists them.\n"
    )


def test_errors_and_help_name_the_command(tmp_path):
    done = keras_mlp("arrays", "--help", cwd=tmp_path)
    assert done.stdout.startswith("usage: keras-mlp arrays") and "python -m" not in done.stdout
    (tmp_path / "page.py").write_text(
        "from training.config import *\nCONFIG = Config(data=Data(name='arrays', data_dir='no'))"
    )
    done = keras_mlp("train", "--config", "page.py", "--workdir", "run", cwd=tmp_path)
    assert done.returncode == 1 and "`keras-mlp arrays NAME --output FILE.npz`" in done.stderr


def test_missing_packages_are_named_with_their_extra(tmp_path):
    text = "raise ModuleNotFoundError('No module named orbit', name='orbit')"
    (tmp_path / "orbit.py").write_text(text)
    done = keras_mlp("train", "--config", "digits", "--workdir", "run", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "error: `keras-mlp train` needs orbit: python -m pip install 'keras_mlp[training]'"
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("words", [["train", "--config", "digits"], ["formats", "x"]])
def test_wrong_options_load_no_keras(words, tmp_path):
    done = keras_mlp(*words, cwd=tmp_path, options=("-X", "importtime"))
    assert done.returncode == 2 and "the following arguments are required" in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in lines}
    assert "runpy" in imported and not imported & {"keras", "tensorflow"}


@pytest.mark.parametrize("name", ["digits", "recipes/mixer_in1k"])
def test_our_pages_have_names(name, tmp_path, monkeypatch):
    expected = load_config(ROOT / "training" / "configs" / f"{name}.py")
    monkeypatch.chdir(tmp_path)
    assert name in page_names()
    assert load_config(name) == load_config(f"training/configs/{name}.py") == expected
    (tmp_path / name).mkdir(parents=True)  # a folder is not a page
    assert load_config(name) == expected


def test_a_file_of_the_user_comes_before_a_page_of_ours(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").write_text(
        "from training.config import Config\nCONFIG = Config(epochs=7)"
    )
    assert load_config("digits").epochs == 7
    with pytest.raises(ValueError, match="the name of one of ours: cifar10, "):
        load_config("nope")
