"""The drawings, code and tables of docs/families.md are what the models give."""

import dataclasses
import re
import xml.etree.ElementTree as ElementTree

import pytest

from documentation import families
from documentation.block_code import code_diff
from documentation.block_drawing import Column, drawing
from documentation.block_graph import TOKEN_MIXING, block_graph
from documentation.families import DOCS, PAGE, drawings, made_pages, models
from documentation.made_parts import with_made_parts
from keras_mlp import ARCHITECTURES
from keras_mlp.models.token_mixing import TokenMixing

AGAIN = "run python -m documentation.families"


@pytest.fixture(scope="module")
def shown():
    return models()


def graph(model, mixing=None):
    return block_graph(model.blocks[-1], mixing or model.token_mixing)


def test_the_drawings_are_up_to_date(shown):
    files = drawings(shown)
    stored = {DOCS / "blocks.svg", *(DOCS / "blocks").glob("*")}
    assert files.keys() == stored, AGAIN
    for path, text in files.items():
        assert path.read_text(encoding="utf-8") == text, f"{path} is out of date: {AGAIN}"
        assert len(text.encode()) < 200_000
        ElementTree.fromstring(text)


def test_the_pages_are_up_to_date(shown):
    for path, text in made_pages(shown).items():
        assert path.read_text(encoding="utf-8") == text, f"{path} is out of date: {AGAIN}"


def test_a_family_without_a_section_is_named(shown, tmp_path, monkeypatch):
    text = PAGE.read_text(encoding="utf-8").replace("made: parts GMLP", "made: parts gone")
    monkeypatch.setattr(families, "PAGE", tmp_path / "families.md")
    families.PAGE.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"must have a section for each of \['GMLP'\]"):
        made_pages(shown)


def test_a_part_of_an_unknown_kind_is_an_error():
    with pytest.raises(KeyError, match="weather"):
        with_made_parts("<!-- made: weather -->\n<!-- end -->", {"best": str})


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_graph_holds_what_the_class_declares(name, shown):
    model, steps = shown[name], graph(shown[name])
    mixes = {step.path.rpartition("/")[2] for step in steps if step.part == TOKEN_MIXING}
    declared = {*model.token_mixing.layers} - {"attention" if name == "GMLP" else None}  # aMLP's
    assert declared <= mixes
    # From the input, every step on a way to the output.
    assert steps[0].path == "input" and [step for step in steps if not step.inputs] == steps[:1]
    used = {id(each) for step in steps for each in step.inputs}
    assert [step for step in steps if id(step) not in used] == steps[-1:]


def test_additive_blocks_end_in_a_sum(shown):
    for name, model in shown.items():
        if model.blocks[-1].is_additive:
            assert graph(model)[-1].symbol == "+", name


def test_a_class_that_declares_nothing_is_drawn_without_colours(shown):
    plain = graph(shown["MLPMixer"], TokenMixing())
    assert {step.part for step in plain} == {""}
    column = Column("MLPMixer", "tokens", plain)
    legend_only = drawing([column], 1, "plain").count("#f6b26b")
    assert legend_only == 1
    coloured = dataclasses.replace(column, steps=graph(shown["MLPMixer"]))
    assert drawing([coloured], 1, "coloured").count("#f6b26b") == 2


def test_gates_and_parallel_layers(shown):
    permutator = {step.path: step for step in graph(shown["VisionPermutator"])}
    projection = permutator["permute_mlp/projection"]
    (weighted,) = projection.inputs
    assert {each.path.rpartition("/")[2] for each in weighted.inputs} == {
        "height",
        "width",
        "channel",
    }
    assert [gate.path for gate in weighted.gates] == ["permute_mlp/reweight"]
    gated = next(step for step in graph(shown["GMLP"]) if step.symbol == "\N{MULTIPLICATION SIGN}")
    assert len(gated.inputs) == 2


def test_norms_over_tokens_are_named():
    texts = (DOCS / "blocks" / "FFOnly.svg").read_text(encoding="utf-8")
    assert len(re.findall("LayerNorm over tokens", texts)) == 1


def test_a_diff_shows_all_lines():
    assert code_diff("a\nb\nc\n", "a\nd\nc\n") == " a\n-b\n+d\n c"
