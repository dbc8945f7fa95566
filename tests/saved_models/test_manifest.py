"""The manifest finds what is missing, changed or added."""

import hashlib
import json

import pytest

from saved_models.manifest import fingerprint, manifest_problems, read_manifest, write_manifest


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "sub" / "b.txt").write_text("b")
    write_manifest(tmp_path, "toy")
    return tmp_path


def test_it_lists_every_file_but_itself(folder):
    manifest = read_manifest(folder)
    assert manifest["name"] == "toy"
    digest = hashlib.sha256(b"b").hexdigest()
    assert manifest["files"]["sub/b.txt"] == {"bytes": 1, "sha256": digest}
    assert list(manifest["files"]) == ["a.txt", "sub/b.txt"]
    assert manifest_problems(folder) == []


def test_the_fingerprint_is_that_of_the_sorted_lines():
    expected = hashlib.sha256(b"11  a\n22  b\n").hexdigest()
    assert fingerprint({"b": "22", "a": "11"}) == expected
    assert fingerprint({"b": "11", "a": "22"}) != expected


def test_writing_it_again_changes_nothing(folder):
    before = (folder / "manifest.json").read_bytes()
    write_manifest(folder, "toy")
    assert (folder / "manifest.json").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda f: (f / "a.txt").unlink(), "a.txt is missing."),
        (lambda f: (f / "a.txt").rename(f / "c.txt"), "a.txt is missing."),
        (lambda f: (f / "sub" / "c.txt").touch(), "sub/c.txt is not in manifest.json."),
        (lambda f: (f / "a.txt").write_text("x"), "a.txt has changed: it has 1 bytes"),
        (lambda f: (f / "a.txt").write_text(""), "a.txt has changed: it has 0 bytes"),
        (lambda f: (f / "link").symlink_to("a.txt"), "is a link"),
    ],
)
def test_a_difference_is_named(folder, change, problem):
    change(folder)
    assert problem in manifest_problems(folder)[0]


def test_a_manifest_that_was_changed_by_hand_is_refused(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "a.txt").write_text("x")
    manifest["files"]["a.txt"]["sha256"] = hashlib.sha256(b"x").hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match="its fingerprint does not match its list of files"):
        manifest_problems(folder)


@pytest.mark.parametrize("text", ["", "[]", '{"format_version": 1, "name": "x"}'])
def test_a_manifest_that_cannot_be_read_is_one_clear_error(folder, text):
    (folder / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match=r"manifest\.json is damaged"):
        manifest_problems(folder)
