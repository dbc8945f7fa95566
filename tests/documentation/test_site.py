"""The site: every link leads somewhere, every page and public name is in it.

`make docs` builds it and checks the anchors; these tests need nothing of mkdocs.
"""

import doctest
import pathlib
import re

import pytest

import keras_mlp
from documentation import argument_sections, block_code, example_fences
from documentation.api_pages import api_pages
from documentation.catalogue_table import MARKER, catalogue_table
from documentation.linked_files import ROOT, LinkedFiles
from documentation.navigation import with_every_page

PAGES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))
NAVIGATION = re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
START = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]


@pytest.fixture(scope="module")
def linked():
    return LinkedFiles().pages(START)


def without_code(text):
    return re.sub(r"^(`{3,}).*?^\1", "", text, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", [*START, *PAGES, "examples/README.md", "benchmarks/README.md"])
def test_every_link_leads_to_a_file(page):
    text = without_code((ROOT / page).read_text(encoding="utf-8"))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if not link.startswith(("http", "#", "mailto:")):
            path = (ROOT / page).parent / link.partition("#")[0]
            assert path.exists(), f"{page}: {link}"


def test_every_page_is_in_the_navigation(linked):
    names = [page.removeprefix("docs/") for page in PAGES]
    assert {*NAVIGATION} <= {*linked, *api_pages(), *names}
    some = [{"Start": "start.md"}, {"Guides": [{"Data": "data.md"}]}]
    start, guides = with_every_page(some)
    assert start == some[0] and guides["Guides"][0] == {"Data": "data.md"}
    assert sorted(["start.md", "data.md", *guides["Guides"][1:]]) == sorted(names)


def test_links_stay_in_the_site(linked):
    text = LinkedFiles().with_links(linked["index.md"], "index.md")
    for link in re.findall(r"\]\(([^)\s#]+)", without_code(text)):
        assert link.startswith("http") or link in linked or (ROOT / "docs" / link).is_file(), link
    unknown = "[a](none.md) [b](https://arxiv.org)"
    assert LinkedFiles().with_links(unknown, "index.md") == unknown


def test_links_of_pages_outside_docs():
    text = "![p](docs/blocks.svg) [d](docs/data.md#here) [e](examples) [c](training/configs/)"
    assert LinkedFiles().with_links(text, "index.md") == (
        "![p](blocks.svg) [d](data.md#here) [e](source/examples/README.md) "
        "[c](source/training/configs/index.md)"
    )
    own = LinkedFiles().with_links("[b](../docs/data.md)", "source/benchmarks/README.md")
    assert own == "[b](../../data.md)"
    listed = LinkedFiles().with_links("[d](digits.py)", "source/training/configs/index.md")
    assert listed == "[d](digits.py.md)"


def test_code_and_notebooks_become_pages(linked):
    code = linked["source/training/configs/digits.py.md"]
    assert code.startswith("# digits.py") and "````python" in code
    notebook = linked["source/examples/notebooks/look_inside.ipynb.md"]
    assert notebook.startswith("# Look inside a model") and "model.summary()" in notebook


def test_every_public_name_is_in_the_reference():
    pages = "\n".join(api_pages().values())
    for module in (keras_mlp, keras_mlp.layers, keras_mlp.analysis):
        for name in module.__all__:
            if callable(getattr(module, name)):
                assert re.search(rf"^::: \S+\.{name}$", pages, re.MULTILINE), name


def test_every_preset_is_in_the_catalogue():
    table = catalogue_table().splitlines()
    assert len(table) == 2 + len(keras_mlp.presets())
    assert any("`gmlp_s16_224.ra3_in1k`" in row and "79.65" in row for row in table)
    assert MARKER in pathlib.Path(ROOT / "docs/catalogue.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("module", [argument_sections, block_code, example_fences])
def test_examples_in_docstrings_run(module):
    assert doctest.testmod(module).failed == 0
