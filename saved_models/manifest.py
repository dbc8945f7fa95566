"""The manifest: an artefact's files and their digests. None may be missing, changed or added."""

import hashlib
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from keras_mlp.export import sha256_of
from keras_mlp.json_files import write_json
from saved_models.artefact import FORMAT_VERSION, MANIFEST, read_dict


def digests(folder: str | pathlib.Path) -> dict[str, str]:
    """Maps the relative path of every file below a folder, sorted, to its SHA-256."""
    folder = pathlib.Path(folder)
    files = sorted(each for each in folder.rglob("*") if each.is_file())
    return {file.relative_to(folder).as_posix(): sha256_of(file) for file in files}


def fingerprint(files: Mapping[str, str]) -> str:
    """A single SHA-256 for many files.

    Args:
        files: maps each path to its SHA-256.

    Returns:
        The digest of the sorted lines "sha256  path"; inside the folder,
        `sha256sum FILES | LC_ALL=C sort | sha256sum` prints the same.

    >>> fingerprint({"b": "22", "a": "11"})[:8]
    '416ccbb1'
    """
    lines = sorted(f"{digest}  {path}\n" for path, digest in files.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def write_manifest(folder: str | pathlib.Path, name: str) -> None:
    """Writes `manifest.json`: every other file of the folder, its size in bytes and its SHA-256."""
    folder = pathlib.Path(folder)
    files = digests(folder)
    files.pop(MANIFEST, None)  # an older one
    manifest = {
        "format_version": FORMAT_VERSION,
        "name": name,
        "fingerprint": fingerprint(files),
        "files": {
            path: {"bytes": (folder / path).stat().st_size, "sha256": digest}
            for path, digest in files.items()
        },
    }
    write_json(folder / MANIFEST, manifest)


def read_manifest(folder: str | pathlib.Path) -> dict[str, Any]:
    """Reads `manifest.json`; ValueError if it is missing or damaged."""
    file = pathlib.Path(folder) / MANIFEST
    manifest = read_dict(file, ("format_version", "name", "fingerprint", "files"), _listed)
    if fingerprint(_listed(manifest)) != manifest["fingerprint"]:
        raise ValueError(f"{file} is damaged: its fingerprint does not match its list of files.")
    return manifest


def _listed(manifest: dict[str, Any]) -> dict[str, str]:
    """The digest of each file; an error if the manifest lacks one, or a size."""
    files = manifest["files"].items()
    return {path: entry["sha256"] for path, entry in files if entry["bytes"] >= 0}


def replace_in_manifest(folder: str | pathlib.Path, path: str) -> None:
    """Enters the new size and digest of one file; all other entries stay as they are."""
    folder = pathlib.Path(folder)
    manifest = read_manifest(folder)
    files, size = manifest["files"], (folder / path).stat().st_size
    files[path] = {"bytes": size, "sha256": sha256_of(folder / path)}
    manifest["fingerprint"] = fingerprint({name: each["sha256"] for name, each in files.items()})
    write_json(folder / MANIFEST, manifest)


def name_problems(folder: str | pathlib.Path) -> list[str]:
    """One sentence if the folder's name is not the artefact's; otherwise an empty list."""
    name, here = read_manifest(folder)["name"], pathlib.Path(folder).resolve().name
    return [] if name == here else [f"The folder is called {here} but holds the artefact {name}."]


def manifest_problems(folder: str | pathlib.Path, ignored: Sequence[str] = ()) -> list[str]:
    """Where a folder differs from its manifest, as sentences; an empty list if it is intact.

    Args:
        folder: the artefact.
        ignored: paths of files that may differ or be missing.

    Raises:
        ValueError: the manifest is missing or damaged.
    """
    folder = pathlib.Path(folder)
    listed = read_manifest(folder)["files"]
    links = [each for each in folder.rglob("*") if each.is_symlink()]
    if links:
        return [f"{links[0]} is a link: an artefact holds no links."]
    found = digests(folder)
    found.pop(MANIFEST)
    for path in ignored:
        listed.pop(path, None)
        found.pop(path, None)
    problems = [f"{path} is missing." for path in listed if path not in found]
    problems += [f"{path} is not in {MANIFEST}." for path in found if path not in listed]
    for path in listed.keys() & found.keys():
        if found[path] != listed[path]["sha256"]:
            size = (folder / path).stat().st_size
            problems.append(
                f"{path} has changed: it has {size:,} bytes and another SHA-256; "
                f"the original has {listed[path]['bytes']:,} bytes."
            )
    return sorted(problems)
