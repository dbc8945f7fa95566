"""The wheel holds what `keras-mlp` needs, and its programs run where there is no checkout."""

import json
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import zipfile

import keras
import numpy as np
import pytest

from tests.programs.test_keras_mlp import PROGRAMS

ROOT = pathlib.Path(__file__).parents[2]
BUILT_FROM = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "keras_mlp", "training")
PAGE = """
from training.config import Config, Data, Model, Optimizer, Runtime

CONFIG = Config(
    epochs=1,
    model=Model("MLPMixer", "pico/2"),
    data=Data(name="image_folder", data_dir="pictures", validation_percent=0, batch_size=4),
    runtime=Runtime(export=False),
)
"""

pytestmark = [pytest.mark.slow, pytest.mark.sweep]


def run(*command, cwd):
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    # A copy, since building leaves folders next to its sources. Without isolation nothing is
    # downloaded.
    source = tmp_path_factory.mktemp("source")
    for name in BUILT_FROM:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    (source / "saved_models").mkdir()
    for file in (ROOT / "saved_models").glob("*.py"):
        shutil.copy(file, source / "saved_models")
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    run(*pip, "--wheel-dir", "dist", ".", cwd=source)
    return next((source / "dist").glob("*.whl"))


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """An environment with the wheel and the packages of this one, but not our checkout."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    python = folder / "bin" / "python"
    purelib = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = run(python, "-c", purelib, cwd=folder).strip()
    # A .pth file that another one names is not read: an editable install of ours stays out.
    (pathlib.Path(packages) / "base.pth").write_text(sysconfig.get_path("purelib"))
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps")
    run(*pip, "--force-reinstall", wheel, cwd=folder)
    return folder / "bin"


@pytest.fixture
def pictures(tmp_path):
    """A folder for a user to work in, with pictures of two classes."""
    for split in ("train", "test"):
        for label, color in enumerate(("dark", "light")):
            folder = tmp_path / "pictures" / split / color
            folder.mkdir(parents=True)
            for index in range(4):
                image = np.full((8, 8, 3), 200 * label + index, "uint8")
                keras.utils.save_img(folder / f"{index}.png", image, scale=False)
    (tmp_path / "page.py").write_text(PAGE)
    return tmp_path


def test_the_wheel_has_one_name_at_the_top(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    info = wheel.name.rsplit("-", 3)[0]
    assert {name.split("/")[0] for name in names} == {
        "keras_mlp",
        f"{info}.dist-info",
        f"{info}.data",
    }
    assert f"{info}.data/scripts/keras-mlp" in names


@pytest.mark.parametrize(
    ("folder", "inside"),
    [
        ("keras_mlp", "keras_mlp"),
        ("training", "keras_mlp/programs/training"),
        ("saved_models", "keras_mlp/programs/saved_models"),
    ],
)
def test_the_wheel_has_every_file(wheel, folder, inside):
    names = zipfile.ZipFile(wheel).namelist()
    files = {file.relative_to(ROOT / folder).as_posix() for file in (ROOT / folder).rglob("*.py")}
    assert files and {f"{inside}/{file}" for file in files} <= set(names)


def test_every_program_shows_its_help(environment, tmp_path):
    assert "usage: keras-mlp PROGRAM" in run(environment / "keras-mlp", cwd=tmp_path)
    for name in PROGRAMS:
        assert "usage: " in run(environment / "keras-mlp", name, "--help", cwd=tmp_path)
    assert run(environment / "python", "-m", "keras_mlp", "--version", cwd=tmp_path)


def test_a_page_of_the_user_trains(environment, pictures):
    keras_mlp = environment / "keras-mlp"
    # `launch`, which starts `train` in another process.
    options = ("--config", "page.py", "--workdir", "run")
    run(keras_mlp, "launch", "--workers", "1", "--", *options, cwd=pictures)
    metrics = json.loads((pictures / "run" / "metrics.json").read_text())
    assert metrics["classes"] == ["dark", "light"] and metrics["commit"] is None
    options = ("--source", "run/model.keras", "--folder", "pictures/test")
    judged = run(keras_mlp, "evaluate", *options, cwd=pictures)
    assert json.loads(judged.splitlines()[-1])["examples"] == 8
