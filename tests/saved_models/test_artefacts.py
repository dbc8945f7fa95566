"""The artefacts of this repository, their cards and their index."""

import json
import os
import re
import shutil

import pytest

from saved_models import card, index
from saved_models.artefact import read_metrics
from saved_models.manifest import manifest_problems, write_manifest
from saved_models.publish import publish
from saved_models.verify import main as verify
from saved_models.verify import problems_of

ARTEFACTS = index.artefact_folders()


CHECKED_FIRST = "mixer_fashion_mnist"  # the others are a sweep


@pytest.mark.parametrize("folder", ARTEFACTS, ids=lambda folder: folder.name)
def test_no_file_of_it_has_changed(folder):
    assert manifest_problems(folder) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "folder",
    [
        pytest.param(
            folder,
            id=folder.name,
            marks=[] if folder.name == CHECKED_FIRST else pytest.mark.sweep,
        )
        for folder in ARTEFACTS
    ],
)
def test_it_is_whole_and_does_its_work(folder):
    assert problems_of(folder) == []


@pytest.mark.parametrize("folder", ARTEFACTS, ids=lambda folder: folder.name)
def test_it_is_small(folder):
    metrics = read_metrics(folder)
    numbers = max(cost["parameters"] for cost in metrics["cost"].values())
    # The float32 weights of a nano model alone are 4.4 MB.
    limit = 3e6 if numbers < 300_000 else 4 * numbers + 2.4e6
    assert {name: size for name, size in metrics["bytes"].items() if size > limit} == {}


def test_the_index_names_every_artefact():
    """Covers a gap of the tests above, whose list leaves out a folder without a manifest."""
    page = (index.FOLDER / "README.md").read_text()
    assert page == index.with_table(page)
    folders = {
        each.name
        for each in index.FOLDER.iterdir()
        if each.is_dir() and (each / "model.keras").exists()
    }
    assert set(re.findall(r"\]\((\w+)/README.md\)", page)) == folders
    assert folders == {each.name for each in ARTEFACTS}


def test_the_table_has_a_row_for_each(made):
    table = index.table(made.parent)
    assert "[mixer_digits](mixer_digits/README.md)" in table
    assert "MLPMixer pico/2" in table and f"{read_metrics(made)['test']['accuracy']:.2%}" in table


def test_the_table_goes_between_the_markers(made, tmp_path):
    shutil.copytree(made, tmp_path / made.name)
    page = tmp_path / "README.md"
    page.write_text(f"before\n{index.BEGIN}\nold\n{index.END}\nafter\n")
    index.write_index(tmp_path)
    assert page.read_text() == (
        f"before\n{index.BEGIN}\n{index.table(tmp_path)}\n{index.END}\nafter\n"
    )
    page.write_text("a page without markers")
    with pytest.raises(ValueError, match="must hold the markers"):
        index.write_index(tmp_path)
    assert page.read_text() == "a page without markers"


def test_an_empty_folder_says_so(tmp_path):
    assert index.table(tmp_path) == "There are no artefacts yet."


def test_a_card_can_be_written_again(copy):
    text = (copy / "README.md").read_text()
    (copy / "README.md").write_text("scribble")
    card.main([str(copy)])
    assert (copy / "README.md").read_text() == text
    assert manifest_problems(copy) == []


DAMAGES = {
    "changed": lambda folder: (folder / "labels.txt").write_text("a\n"),
    "missing": lambda folder: (folder / "golden.npz").unlink(),
    "added": lambda folder: (folder / "classifier" / "notes.txt").touch(),
    "link": lambda folder: (folder / "classifier" / "link").symlink_to("/etc/hostname"),
    "metrics": lambda folder: (folder / "metrics.json").write_text("{}"),
    "manifest": lambda folder: (folder / "manifest.json").write_text("{"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_card_is_refused_where_verify_refuses(damage, copy, capsys):
    DAMAGES[damage](copy)
    (copy / "README.md").write_text("scribble")
    manifest = (copy / "manifest.json").read_bytes()
    with pytest.raises(SystemExit, match=f"^error: {copy}") as stop:
        card.main([str(copy)])
    assert "damaged" in str(stop.value) and "\n" not in str(stop.value)
    assert (copy / "manifest.json").read_bytes() == manifest
    assert (copy / "README.md").read_text() == "scribble"
    with pytest.raises(SystemExit):
        verify([str(copy)])


READERS = {
    "card": card.rewrite,
    "index": lambda folder: index.table(folder.parent),
    "publish": lambda folder: publish(folder, folder.parent),
}


@pytest.mark.parametrize("program", READERS)
def test_metrics_of_another_shape_are_named(program, copy):
    metrics = read_metrics(copy)
    del metrics["training"]["config"]
    (copy / "metrics.json").write_text(json.dumps(metrics))
    write_manifest(copy, copy.name)
    with pytest.raises(ValueError, match=r"metrics\.json is damaged: KeyError\('config'\)"):
        READERS[program](copy)


def test_a_card_of_a_renamed_folder_is_refused(copy):
    other = copy.rename(copy.with_name("vit_imagenet"))
    with pytest.raises(SystemExit, match="is called vit_imagenet but holds the artefact mixer"):
        card.main([str(other)])


def test_a_missing_card_is_written(copy):
    text = (copy / "README.md").read_text()
    manifest = (copy / "manifest.json").read_bytes()
    (copy / "README.md").unlink()
    card.main([str(copy)])
    assert (copy / "README.md").read_text() == text
    assert (copy / "manifest.json").read_bytes() == manifest


def test_a_card_follows_its_metrics(made):
    metrics = read_metrics(made)
    metrics["test"]["accuracy"] = 0.4242
    assert "test accuracy 42.42% on 360 images" in card.card(metrics)
    metrics["training"]["config"]["data"]["name"] = "some_dataset"
    assert "catalog/some_dataset" in card.card(metrics)


def test_a_card_says_that_the_run_diverged(made):
    metrics = read_metrics(made)
    assert "diverged" not in card.card(metrics)
    metrics["training"]["diverged"] = {"split": "test", "step": 9, "loss": None, "limit": 23.03}
    metrics["test"]["loss"] = None
    text = card.card(metrics)
    assert ", loss not finite, measured" in text
    assert "The test loss is not finite at step 9" in text and "the run has diverged" in text


def test_names_of_classes_are_no_markup_of_the_card(made):
    metrics = read_metrics(made)
    plain = card.card(metrics)
    names = [
        "<img src=x onerror=alert(1)>",
        "a|b",
        "[x](http://y.z)",
        "**bold**",
        "`code`",
        "T-shirt",
    ]
    metrics["classes"] = names
    metrics["training"]["command"] = "python ```\n# not a heading"
    text = card.card(metrics)
    assert "<img" not in text and "&lt;img src\\=x" in text and "T-shirt" in text
    assert r"a\|b" in text and r"\[x\](http\://y\.z)" in text and r"\`code\`" in text
    assert r"\*\*bold\*\*" in text and "````\npython ```" in text
    assert text.count("\n| ") == plain.count("\n| ")


def test_a_card_of_own_pictures_names_no_page_of_tfds(made):
    metrics = read_metrics(made)
    metrics["training"]["config"]["data"]["name"] = "image_folder"
    assert "TFDS" not in card.card(metrics) and "tensorflow.org" not in card.card(metrics)


def test_a_card_has_no_words_for_a_folder_without_metrics(tmp_path):
    with pytest.raises(SystemExit) as stop:
        card.main([str(tmp_path)])
    assert str(stop.value).startswith("error: There is no ")
    assert os.listdir(tmp_path) == []
