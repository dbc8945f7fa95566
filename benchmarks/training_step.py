"""The memory and time of one training step in its own process, as a line of JSON."""

import json
import pathlib
import sys
import time
from importlib.metadata import version
from typing import Any

import keras
import numpy as np

from keras_mlp import MLPMixer

LIBRARIES = ("tensorflow", "keras", "numpy")


def main() -> None:
    order = json.loads(sys.argv[1])
    print(json.dumps(measure(**order)))


def measure(sizes: dict[str, Any], remat: bool, batch: int) -> dict[str, Any]:
    """Builds a Mixer, trains it for two steps of SGD, and times the second.

    Args:
        sizes: arguments of `MLPMixer`, such as one of its variants.
        remat: as for `MLPMixer`.
        batch: number of images.

    Returns:
        A dict: "peak", the peak of resident memory, and "start", resident memory before the first
        step, in MiB; "seconds" (wall time) and "cpu_seconds" (of all threads) of the second step;
        its "loss", which rematerialisation must not change; "versions" of the libraries.
    """
    keras.utils.set_random_seed(0)
    model = MLPMixer(**sizes, remat=remat)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch, *model.image_shape)).astype("float32")
    labels = rng.integers(0, model.num_classes, batch)
    start = resident("VmRSS")
    model.train_on_batch(images, labels)  # traces too
    clock, cpu = time.perf_counter(), time.process_time()
    loss = float(model.train_on_batch(images, labels))
    return {
        "seconds": time.perf_counter() - clock,
        "cpu_seconds": time.process_time() - cpu,
        "start": start,
        "peak": resident("VmHWM"),
        "loss": loss,
        "versions": ", ".join(f"{name} {version(name)}" for name in LIBRARIES),
    }


def resident(kind: str) -> float:
    """In MiB. The kernel counts this process alone; `ru_maxrss` starts at the parent's value."""
    for line in pathlib.Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{kind}:"):
            return int(line.split()[1]) / 1024
    raise OSError(f"/proc/self/status has no {kind}.")


if __name__ == "__main__":
    main()
