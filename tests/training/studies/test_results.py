"""Tables of studies say which figures hold runs that diverged."""

import pytest

from training.compare import comparison_table
from training.pareto import points
from training.permuted import ORDERS, permuted_table
from training.scaling import scaling_tables
from training.studies.results import with_diverged

DIVERGED = {"split": "test", "step": 9, "loss": None, "limit": 23.03}


def run(seed, accuracy, diverged=None, **more):
    return {
        "architecture": "GMLP",
        "seed": seed,
        "parameters": 1000,
        "images_seen": 500,
        "train_examples": 100,
        "test": {"accuracy": accuracy, "loss": None if diverged else 0.5, "examples": 100},
        "wall_seconds": 60,
        "diverged": diverged,
        **more,
    }


def test_a_cell_counts_the_runs_that_diverged():
    assert with_diverged("3", [{}, {"diverged": None}]) == "3"  # earlier versions do not say
    assert with_diverged("3", [{"diverged": DIVERGED}] * 2) == "3, 2 diverged"


def test_a_comparison_marks_the_row():
    plain = comparison_table([run(0, 0.9), run(1, 0.8)])
    assert plain.splitlines()[2].endswith("| 85.00% | 80.00% | 90.00% | 2 | 1.0 |")
    marked = comparison_table([run(0, 0.9), run(1, 0.1, DIVERGED)])
    assert marked.splitlines()[2].endswith("| 50.00% | 10.00% | 90.00% | 2, 1 diverged | 1.0 |")


def test_a_picture_marks_the_point():
    (point,) = points([run(0, 0.9), run(1, 0.1, DIVERGED)], "parameters")
    assert point.label == "GMLP, 1 diverged"


def test_scaling_marks_the_size_and_the_law():
    runs = [run(0, 0.9, train_examples=1000), run(0, 0.5), run(1, 0.1, DIVERGED)]
    _, _, row, _, _, _, law = scaling_tables(runs).splitlines()
    assert row == "| GMLP | 1,000 | 30.0% (10.0% to 50.0%), 1 diverged | 90.0% | 2 |"
    assert law.startswith("| GMLP, 1 diverged | ")


@pytest.mark.parametrize("order", ORDERS)
def test_permuted_marks_the_order(order):
    runs = [run(0, 0.5, DIVERGED if each == order else None, order=each) for each in ORDERS]
    cells = permuted_table(runs).splitlines()[2].strip("| ").split(" | ")
    marked = [number for number, cell in enumerate(cells) if "diverged" in cell]
    assert marked == [{"as they are": 1, "patches": 2, "pixels": 4}[order]]
