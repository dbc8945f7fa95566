"""The learning curve for TensorBoard, on both engines: its own writer needs no TensorFlow."""

import importlib.util
import os
import pathlib
import socket
import time
from typing import Any, BinaryIO

from training.engine.workdir import Workdir

PARTS = ("train", "validation")
_VERSION = "brain.Event:2"  # of the file's format


class TensorBoard:
    """Writes the runs `train` and `validation`, with the tags of `keras.callbacks.TensorBoard`.

    Curves of both, and those of `model.fit`, then share a chart: `epoch_loss` and the other values
    of a point of the learning curve over epochs, counted from 0 as in Keras, and `batch_loss` and
    the others of a loop of steps over steps. Without the package tensorboard nothing is written.

    Args:
        folder: of the run; only the chief writes.
    """

    def __init__(self, folder: Workdir) -> None:
        writes = folder.chief and importlib.util.find_spec("tensorboard") is not None
        root = folder.path / "tensorboard"
        self.files = {part: EventFile(root / part) for part in PARTS} if writes else {}

    def __enter__(self) -> "TensorBoard":
        return self

    def __exit__(self, *exception: object) -> None:
        for file in self.files.values():
            file.close()

    def add_loop(self, step: int, means: dict[str, Any]) -> None:
        """Adds the means of the steps of a loop that ended with `step`."""
        self._add("train", "batch", step, means)

    def add_point(self, entry: dict[str, Any]) -> None:
        """Adds a point of the learning curve."""
        for part in PARTS:
            values = {key: entry[part][key] for key in entry.get(part, ()) if key != "examples"}
            self._add(part, "epoch", max(round(entry["epoch"]) - 1, 0), values)

    def _add(self, part: str, prefix: str, step: int, values: dict[str, Any]) -> None:
        if part in self.files:
            for name, value in values.items():
                self.files[part].add(f"{prefix}_{name}", float(value), step)
            self.files[part].flush()


class EventFile:
    """A new file of scalars in the folder of a TensorBoard run.

    Args:
        folder: path, made if it does not exist.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        folder.mkdir(parents=True, exist_ok=True)
        # In nanoseconds: a run may be resumed by the same process within a second.
        name = f"events.out.tfevents.{time.time_ns()}.{socket.gethostname()}.{os.getpid()}.v2"
        self._file: BinaryIO = open(folder / name, "xb")  # noqa: SIM115 - closed by `close`
        self._records = RecordWriter(self._file)
        self._write(file_version=_VERSION)

    def add(self, tag: str, value: float, step: int) -> None:
        """Adds a point of a curve."""
        from tensorboard.plugins.scalar.summary_v2 import scalar_pb

        self._write(step=step, summary=scalar_pb(tag, value))

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def _write(self, **fields: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        event = Event(wall_time=time.time(), **fields)
        self._records.write(event.SerializeToString())
