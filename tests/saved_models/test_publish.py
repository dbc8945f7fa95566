"""What `saved_models.publish` writes for TF Hub and Kaggle."""

import json
import os
import tarfile

import pytest

from saved_models import publish as program
from saved_models.publish import publish, upload_commands


@pytest.fixture(scope="module")
def published(made, tmp_path_factory):
    return publish(made, tmp_path_factory.mktemp("published"), owner="someone")


def test_tarballs_have_the_saved_model_at_their_root(made, published):
    tarballs = sorted(file.relative_to(published).as_posix() for file in published.rglob("*.gz"))
    assert tarballs == ["classifier.tar.gz", "feature_vector.tar.gz", "sizes/12x16.tar.gz"]
    with tarfile.open(published / "classifier.tar.gz") as archive:
        assert {"saved_model.pb", "variables/variables.index"} <= set(archive.getnames())
        stored = archive.extractfile("saved_model.pb").read()
    assert stored == (made / "classifier" / "saved_model.pb").read_bytes()


def test_publishing_again_gives_the_same_bytes(made, published, tmp_path):
    again = publish(made, tmp_path, owner="someone")
    for file in published.rglob("*"):
        if file.is_file():
            assert (again / file.relative_to(published)).read_bytes() == file.read_bytes(), file


def test_the_kaggle_tree_says_what_it_is(published):
    model = json.loads((published / "kaggle" / "model-metadata.json").read_text())
    assert (model["ownerSlug"], model["slug"]) == ("someone", "mixer-digits")
    assert model["isPrivate"] is True and model["description"].startswith("# mixer_digits")
    folder = published / "kaggle" / "tensorFlow2"
    assert sorted(os.listdir(folder)) == ["classifier", "feature-vector", "sizes-12x16"]
    for variation in folder.iterdir():
        metadata = json.loads((variation / "model-instance-metadata.json").read_text())
        assert metadata["modelSlug"] == model["slug"]
        assert metadata["instanceSlug"] == variation.name
        assert metadata["framework"] == "tensorFlow2" and metadata["fineTunable"] is True
        assert (variation / "variables" / "variables.index").is_file()


def test_the_commands_name_every_variation(published):
    text = "\n".join(upload_commands(published))
    assert text.count("--dir-mode tar") == text.count("model_upload") == 3
    assert "someone/mixer-digits/tensorFlow2/feature-vector" in text


def test_a_damaged_artefact_is_not_published(copy, tmp_path):
    (copy / "labels.txt").write_text("a\n")
    with pytest.raises(SystemExit) as stop:
        program.main([str(copy), "--output", str(tmp_path)])
    assert "labels.txt has changed" in str(stop.value)
    assert os.listdir(tmp_path) == [copy.name]


def test_what_was_published_is_replaced_and_nothing_else(copy, tmp_path):
    files = sorted(copy.rglob("*"))
    for output in (tmp_path, copy):  # where the artefact is, and inside it
        with pytest.raises(ValueError, match=r"`--output` .* is the folder of the artefact"):
            publish(copy, output)
    assert sorted(copy.rglob("*")) == files
    other = tmp_path / "other" / copy.name
    other.mkdir(parents=True)
    (other / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"was not written by saved_models\.publish"):
        publish(copy, other.parent)
    assert (other / "notes.txt").read_text() == "mine"
    folder = publish(copy, tmp_path / "published")
    (folder / "classifier.tar.gz").unlink()
    assert (publish(copy, tmp_path / "published") / "classifier.tar.gz").is_file()


def test_the_output_is_made_where_a_folder_can_be(made, tmp_path):
    assert (publish(made, tmp_path / "not/there") / "classifier.tar.gz").is_file()
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"`--output` .*file is not a folder"):
        publish(made, tmp_path / "file")
