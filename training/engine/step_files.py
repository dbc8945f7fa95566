"""The files of checkpoints, `step-N.*`, found by their names alone."""

import pathlib
import re

# TensorFlow's `step-N.index` and `step-N.data-00000-of-00001`, and `step-N.npz` on JAX.
_NAME = re.compile(r"step-(\d+)\.(?:npz|index|data-\d{5}-of-\d{5})")


def step_files(folder: pathlib.Path) -> dict[int, list[pathlib.Path]]:
    """From each step with a checkpoint in a folder to its files, oldest step first."""
    found: dict[int, list[pathlib.Path]] = {}
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if match := _NAME.fullmatch(path.name):
                found.setdefault(int(match[1]), []).append(path)
    return dict(sorted(found.items()))
