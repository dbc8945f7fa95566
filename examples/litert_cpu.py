"""A trained model as a LiteRT file, run on a CPU without TensorFlow.

python -m pip install ai-edge-litert
python -m examples.litert_cpu --source saved_models/mixer_fashion_mnist/model.keras

It writes a float32 and an int8 file, runs both on random pixels, one image at a time, and prints
size, time and the difference from Keras.
"""

import argparse
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence

import keras
import numpy as np

from keras_mlp.formats import export_litert
from keras_mlp.typing import Array

SOURCE = "saved_models/mixer_fashion_mnist/model.keras"


def open_litert(path: str | pathlib.Path, threads: int = 1) -> Callable[[Array], Array]:
    """A function from pixels, uint8 (1, H, W, channels), to logits, float32 (1, K)."""
    # A program that only runs the file needs nothing else.
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(str(path), num_threads=threads).get_signature_runner()
    return lambda pixels: run(pixels=pixels)["logits"]


def median_milliseconds(run: Callable[[Array], Array], pixels: Iterable[Array]) -> float:
    """Median time of a call with one image."""
    times = []
    for image in pixels:
        start = time.perf_counter()
        run(image[np.newaxis])
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def main(arguments: Sequence[str] | None = None) -> None:
    """Exports the files, runs them and compares them with Keras."""
    parser = argparse.ArgumentParser(prog="python -m examples.litert_cpu")
    parser.add_argument("--source", default=SOURCE, help=f"a .keras file ({SOURCE})")
    options = parser.parse_args(arguments)
    if not pathlib.Path(options.source).is_file():
        parser.error(f"`source` must be a .keras file, and there is no {options.source}.")
    model = keras.models.load_model(options.source, compile=False)
    pixels = np.random.default_rng(0).integers(0, 256, (100, *model.image_shape), "uint8")
    expected = model.predict(pixels, verbose=0)
    with tempfile.TemporaryDirectory() as folder:
        for quantize in (None, "dynamic_int8"):
            path = export_litert(model, f"{folder}/{quantize}.tflite", quantize=quantize)
            run = open_litert(path)
            logits = np.concatenate([run(image[np.newaxis]) for image in pixels])
            print(
                f"{quantize or 'float32':14}{path.stat().st_size / 1e6:5.2f} MB"
                f"{median_milliseconds(run, pixels):8.2f} ms per image, logits differ by "
                f"{np.abs(logits - expected).max():.1e}"
            )


if __name__ == "__main__":
    main()
