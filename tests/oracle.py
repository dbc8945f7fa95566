"""Reads the reference outputs in tests/oracles."""

import json
import pathlib

import numpy as np
import safetensors.numpy

FOLDER = pathlib.Path(__file__).parent / "oracles"


class Oracle:
    """Inputs, outputs and weights of one run of a reference implementation."""

    def __init__(self, name):
        with np.load(FOLDER / f"{name}.npz") as file:
            arrays = {key: file[key] for key in file.files}
        self.config = json.loads(str(arrays.pop("config")))
        self.weights = {k.removeprefix("w/"): v for k, v in arrays.items() if k.startswith("w/")}
        self.arrays = arrays
        self.x = arrays.get("x")

    def write_checkpoint(self, folder, suffix):
        """Writes the weights as a user's file would be; returns its path."""
        path = pathlib.Path(folder) / f"weights{suffix}"
        if suffix == ".npz":
            np.savez(path, **self.weights)
        else:
            safetensors.numpy.save_file(self.weights, path)
        return path

    def check(self, outputs, key="y"):
        """Asserts that outputs equal the reference's to 2e-5."""
        expected = self.arrays[key]
        difference = np.abs(np.asarray(outputs) - expected).max()
        assert difference <= 2e-5 * max(1.0, expected.std()), f"{key} differs by {difference:.2e}"
