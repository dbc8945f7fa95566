"""The answers of docs/choosing.md and the studies of docs/tradeoffs.md are what is stored."""

import json
import pathlib
import re

import pytest

from documentation import answers, choosing, stored_studies
from documentation.answers import ANSWERS, answer, leaders
from documentation.page_tables import DOCS, page_table
from documentation.stored_studies import STUDIES, section
from tests.training.test_pareto import NAMES, cost, run
from training import compare
from training.reports.pareto_picture import Point
from training.studies.results import write_results

AGAIN = "run python -m documentation.choosing"
COSTS = {"facts": {"date": "today"}, "program": "benchmarks.latency"}


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A copy of the pages with their results, to which studies can be added."""
    for module in (choosing, stored_studies):
        monkeypatch.setattr(module, "DOCS", tmp_path)
        monkeypatch.setattr(module, "RESULTS", tmp_path / "results")
    (tmp_path / "results").mkdir()
    for file in (DOCS / "results").glob("*.json"):
        if file.stem not in STUDIES:
            (tmp_path / "results" / file.name).write_text(file.read_text())
    pages = [tmp_path / page.name for page in choosing.PAGES]
    for page in pages:
        page.write_text((DOCS / page.name).read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(choosing, "PAGES", pages)
    return tmp_path


@pytest.fixture
def fashion_mnist(tmp_path):
    """Files to add: a comparison of two families and a ResNet, and what they cost."""
    runs = [run(NAMES[0], seed, 0.900 + 0.002 * seed, 1000, 5) for seed in (0, 1)]
    runs += [run(NAMES[1], 0, 0.9015, 2000, 4), run(NAMES[2], 0, 0.95, 1500, 9)]
    write_results(tmp_path / "compare.json", compare.PROGRAM, {}, runs)
    sizes = zip(NAMES, (1000, 2000, 1500), (10**6, 2 * 10**6, 3 * 10**6), strict=True)
    costs = [cost(name, parameters, macs, 1.0, 0.5) for name, parameters, macs in sizes]
    (tmp_path / "costs.json").write_text(json.dumps({**COSTS, "results": costs}))
    return {
        "compare_fashion_mnist": tmp_path / "compare.json",
        "latency_fashion_mnist": tmp_path / "costs.json",
    }


def test_the_pages_are_up_to_date():
    for path, text in choosing.made_pages().items():
        assert path.read_text(encoding="utf-8") == text, f"{path} is out of date: {AGAIN}"


def test_every_answer_is_on_the_page_and_every_study_on_the_other():
    choice, studies, _ = (page.read_text(encoding="utf-8") for page in choosing.PAGES)
    assert re.findall(r"made: answer (\w+)", choice) == list(ANSWERS)
    assert re.findall(r"made: study (\w+)", studies) == list(STUDIES)


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_has_figures_and_a_link_to_its_table(name):
    text = answer(name)
    if "is not finished" not in text:
        assert re.search(r"\d", text) and re.search(r"\]\(\w+\.md#?[\w-]*\)", text)
    assert all(len(line) <= 118 for line in text.splitlines() if not line.startswith("!"))


def test_figures_that_answers_quote_are_in_the_tables_that_they_link():
    for name in ("from_scratch", "throughput", "other_sizes", "few_labels"):
        text = answer(name)
        page = re.search(r"\[Table\]\((\w+\.md)", text)[1]
        linked = (DOCS / page).read_text(encoding="utf-8")
        figures = re.findall(r"\d+\.\d+%|\d+,\d+", text)
        assert figures
        for figure in figures:
            assert figure in linked, (name, figure)


def test_what_did_not_work_is_on_the_linked_page():
    page = (DOCS / "tradeoffs.md").read_text(encoding="utf-8")
    text = page.partition("## What did not work")[2]
    points = text.split("\n- ")[1:]
    assert len(points) > 5
    for point in points:
        link = re.search(r"\]\(([^)#]*)", point)[1]
        linked = (DOCS / link).resolve().read_text(encoding="utf-8") if link else page
        figures = re.findall(r"\d+\.\d+(?=%| ms| of timm)|\d+(?= images per second)", point)
        assert figures, point
        for figure in figures:
            assert figure in linked, (figure, link)


def test_added_results_appear_on_both_pages_with_pictures(site, fashion_mnist, capsys):
    assert section("compare_fashion_mnist") == ""
    adds = [word for name, file in fashion_mnist.items() for word in ("--add", f"{name}={file}")]
    choosing.main(adds)
    choice, studies, _ = (page.read_text(encoding="utf-8") for page in choosing.PAGES)
    assert "`GMLP` 90.15% (90.15% to 90.15%) and `MLPMixer`" in " ".join(choice.split())
    assert "`bit_resnet` 95.00%" in choice
    assert "a plain MLP, is not finished" not in " ".join(choice.split())
    assert answer("few_images").startswith("The study is not finished.")  # nothing was added
    assert "## Fashion-MNIST, equal images" in studies
    assert compare.comparison_table(json.loads(stored("compare_fashion_mnist"))["runs"]) in studies
    assert "| multiply-accumulates per image | MLPMixer (90.10%), GMLP (90.15%), " in studies
    for picture in re.findall(r"\]\((pareto_\w+\.svg)\)", studies):
        assert (site / picture).read_text().startswith("<svg")
    assert "pareto_compare_fashion_mnist_int8.svg" in studies
    assert "pareto_compare_fashion_mnist_int8.svg" in capsys.readouterr().out

    before = {page: page.read_text(encoding="utf-8") for page in choosing.PAGES}
    choosing.main([])
    assert before == {page: page.read_text(encoding="utf-8") for page in choosing.PAGES}


def stored(name):
    return stored_studies.stored(name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ("weather={file}", "'weather' is not a study; these are: compare_fashion_mnist, "),
        ("scaling_fashion_mnist={file}", "is not a results.json of training.scaling"),
        ("tokens={file}", "was not written by python -m benchmarks.tokens"),
        ("compare_fashion_mnist=none.json", "none.json"),
        ("text={file}", "compare.json is not a results.json of examples.text"),
    ],
)
def test_nothing_is_stored_unless_everything_fits(site, fashion_mnist, added, message, capsys):
    file = fashion_mnist["compare_fashion_mnist"]
    arguments = ["--add", f"compare_fashion_mnist={file}", "--add", added.format(file=file)]
    with pytest.raises(SystemExit):
        choosing.main(arguments)
    assert message in capsys.readouterr().err
    assert not stored_studies.stored("compare_fashion_mnist").exists()


def test_the_leaders_are_those_that_reach_the_best():
    def point(name, mean, lowest, highest):
        return Point(name, 1.0, mean, lowest, highest)

    best, near = point("best", 0.9, 0.88, 0.92), point("near", 0.87, 0.85, 0.89)
    assert leaders([point("far", 0.8, 0.7, 0.87), near, best]) == [best, near]
    assert answers._named([best, near]).endswith(", whose ranges overlap")


def test_a_table_is_read_back(tmp_path, monkeypatch):
    monkeypatch.setattr("documentation.page_tables.DOCS", pathlib.Path(tmp_path))
    (tmp_path / "a.md").write_text("# A\n\n| x | |\n|---|---|\n| `1` | 2 |\n\n| no |\n")
    assert page_table("a.md", after="# A") == [{"x": "1", "1": "2"}]
    for after in ("# B", "| no |"):
        with pytest.raises(ValueError, match="must have a table after"):
            page_table("a.md", after=after)
