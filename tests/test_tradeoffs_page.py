"""The tables of docs/tradeoffs.md are what the stored results give."""

import pathlib

import pytest

from training.compare import comparison_table
from training.fewshot import fewshot_table
from training.permuted import permuted_table
from training.scaling import scaling_tables
from training.studies.results import stored_results

ROOT = pathlib.Path(__file__).parents[1]
TABLES = {
    "training.compare": comparison_table,
    "training.scaling": scaling_tables,
    "training.permuted": permuted_table,
    "training.fewshot": fewshot_table,
}
# Results of these programs; other files there are of benchmarks.
STORED = [
    (program, file)
    for file in sorted((ROOT / "docs/results").glob("*.json"))
    for program in TABLES
    if f'"program": "{program}"' in file.read_text(encoding="utf-8")
]


def test_there_are_results():
    assert {program for program, _ in STORED} >= {"training.fewshot"}


@pytest.mark.parametrize(("program", "file"), STORED, ids=lambda each: str(each).split("/")[-1])
def test_the_page_shows_what_is_stored(program, file):
    page = (ROOT / "docs/tradeoffs.md").read_text(encoding="utf-8")
    assert stored_results([file], program, TABLES[program]) in page
