"""The learning curve for TensorBoard."""

from typing import Any

import tensorflow as tf

from training.engine.workdir import Workdir


class TensorBoard:
    """Writes the runs `train` and `validation`, with the tags of `keras.callbacks.TensorBoard`.

    Curves of both, and those of `model.fit`, then share a chart: `epoch_loss` and the other values
    of a point of the learning curve over epochs, counted from 0 as in Keras, and `batch_loss` and
    the others of a loop of steps over steps.

    Args:
        folder: of the run; only the chief writes.
    """

    def __init__(self, folder: Workdir) -> None:
        root = folder.path / "tensorboard"
        self.writers = {
            part: tf.summary.create_file_writer(str(root / part))
            if folder.chief
            else tf.summary.create_noop_writer()
            for part in ("train", "validation")
        }

    def __enter__(self) -> "TensorBoard":
        return self

    def __exit__(self, *exception: object) -> None:
        for writer in self.writers.values():
            writer.close()

    def add_loop(self, step: int, means: dict[str, Any]) -> None:
        """Adds the means of the steps of a loop that ended with `step`."""
        self._add("train", "batch", step, means)

    def add_point(self, entry: dict[str, Any]) -> None:
        """Adds a point of the learning curve."""
        for part in self.writers:
            values = {key: entry[part][key] for key in entry.get(part, ()) if key != "examples"}
            self._add(part, "epoch", max(round(entry["epoch"]) - 1, 0), values)

    def _add(self, part: str, prefix: str, step: int, values: dict[str, Any]) -> None:
        with self.writers[part].as_default():
            for name, value in values.items():
                tf.summary.scalar(f"{prefix}_{name}", value, step)
        self.writers[part].flush()
