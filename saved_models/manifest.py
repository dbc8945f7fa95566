"""The list of an artefact's files with their digests: nothing may be missing, changed or added."""

import hashlib
import json
import pathlib

from keras_mlp.export import sha256_of
from keras_mlp.whole_files import write_text
from saved_models.artefact import FORMAT_VERSION, MANIFEST, read_json


def digests(folder):
    """From the path of every file below a folder, relative and sorted, to its SHA-256."""
    folder = pathlib.Path(folder)
    files = sorted(each for each in folder.rglob("*") if each.is_file())
    return {file.relative_to(folder).as_posix(): sha256_of(file) for file in files}


def fingerprint(files):
    """One SHA-256 for many files.

    Args:
        files: dict from path to SHA-256.

    Returns:
        The digest of the lines "sha256  path", sorted: in the folder,
        `sha256sum FILES | LC_ALL=C sort | sha256sum` prints it.

    >>> fingerprint({"b": "22", "a": "11"})[:8]
    '416ccbb1'
    """
    lines = sorted(f"{digest}  {path}\n" for path, digest in files.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def write_manifest(folder, name):
    """Writes `manifest.json`: every other file of the folder, its size in bytes and its SHA-256."""
    folder = pathlib.Path(folder)
    files = digests(folder)
    files.pop(MANIFEST, None)  # of before
    manifest = {
        "format_version": FORMAT_VERSION,
        "name": name,
        "fingerprint": fingerprint(files),
        "files": {
            path: {"bytes": (folder / path).stat().st_size, "sha256": digest}
            for path, digest in files.items()
        },
    }
    write_text(folder / MANIFEST, json.dumps(manifest, indent=2) + "\n")


def read_manifest(folder):
    """The dict in `manifest.json`; ValueError unless it is there and whole."""
    file = pathlib.Path(folder) / MANIFEST
    manifest = read_json(file, ("format_version", "name", "fingerprint", "files"))
    try:
        listed = {path: entry["sha256"] for path, entry in manifest["files"].items()}
    except (AttributeError, TypeError, KeyError) as error:
        raise ValueError(f"{file} is damaged: {error!r}") from error
    if fingerprint(listed) != manifest["fingerprint"]:
        raise ValueError(f"{file} is damaged: its fingerprint is not that of its list of files.")
    return manifest


def manifest_problems(folder):
    """What is not as the manifest says, as sentences; none for a whole artefact.

    Args:
        folder: the artefact.

    Raises:
        ValueError: the manifest is missing or damaged.
    """
    folder = pathlib.Path(folder)
    listed = read_manifest(folder)["files"]
    links = [each for each in folder.rglob("*") if each.is_symlink()]
    if links:
        return [f"{links[0]} is a link: an artefact has none."]
    found = digests(folder)
    found.pop(MANIFEST)
    problems = [f"{path} is missing." for path in listed if path not in found]
    problems += [f"{path} is not in {MANIFEST}." for path in found if path not in listed]
    for path in listed.keys() & found.keys():
        if found[path] != listed[path]["sha256"]:
            size = (folder / path).stat().st_size
            problems.append(
                f"{path} is not the file that was made: {size:,} bytes, "
                f"{listed[path]['bytes']:,} were made."
            )
    return sorted(problems)
