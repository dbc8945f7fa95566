"""The notebooks run from top to bottom, and are stored without outputs."""

import json
import pathlib

import matplotlib
import matplotlib.pyplot as plt
import pytest

NOTEBOOKS = pathlib.Path(__file__).parents[2] / "examples" / "notebooks"
# The last line that each prints begins with these words.
ENDS = {"finetune_folder": "true:", "look_inside": "activations of one image:"}


def cells(name):
    return json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]


def test_all_notebooks_are_run():
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} == ENDS.keys()


@pytest.mark.parametrize("name", ENDS)
def test_a_notebook_has_no_outputs(name):
    code = [cell for cell in cells(name) if cell["cell_type"] == "code"]
    assert code and all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.sweep if name == "finetune_folder" else [])
        for name in ENDS
    ],
)
def test_a_notebook_runs(name, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(NOTEBOOKS)  # where Jupyter starts it
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    matplotlib.use("Agg")
    names = {"__name__": "notebook"}
    for at, cell in enumerate(cells(name)):
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"{name}, cell {at}", "exec"), names)
    assert len(plt.get_fignums()) >= 2
    plt.close("all")
    assert capsys.readouterr().out.splitlines()[-1].startswith(ENDS[name])
