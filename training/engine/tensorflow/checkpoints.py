"""Checkpoints from which a run continues as if it had never stopped."""

import logging
import pathlib
import shutil
import tempfile
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from keras_mlp.errors import first_line
from keras_mlp.whole_files import write_text
from training.engine.step_files import step_files

log = logging.getLogger(__name__)


class CheckpointManager(tf.train.CheckpointManager):
    """Keeps the newest checkpoints of model, optimizer and random state.

    A checkpoint is written under a temporary name, so a run that is killed while it writes finds
    the previous one. A checkpoint that cannot be read is skipped, with a warning, for the previous
    one. Checkpoints are found by their names: TensorFlow's list of them, the file `checkpoint`, is
    written from what is there.

    On several hosts, all must save at the same time and restore the same checkpoint: only those of
    the chief are kept; the others write to a temporary folder.

    Args:
        model, optimizer: Keras objects, built under the strategy's scope.
        folder: folder of the checkpoints.
        keep: number of checkpoints to keep.
        chief: whether this process keeps what it saves.
        state: further variables, or lists of them, by name.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.Optimizer,
        folder: str | pathlib.Path,
        *,
        keep: int,
        chief: bool = True,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        # Keras does not count the state of its seed generators as weights, so it is added here.
        weights = {id(weight) for weight in model.weights}
        seeds = [variable.value for variable in model.variables if id(variable) not in weights]
        self.shared = str(folder)
        # Removed with this object.
        self.thrown_away = None if chief else tempfile.TemporaryDirectory()
        if chief:
            self._write_list()
        super().__init__(
            tf.train.Checkpoint(model=model, optimizer=optimizer, seeds=seeds, **(state or {})),
            self.thrown_away.name if self.thrown_away else self.shared,
            max_to_keep=keep,
            checkpoint_name="step",
        )
        self._remove_leftovers()

    def save(self, checkpoint_number: int | None = None, **kwargs: Any) -> str | None:
        """Saves as the base class does, and removes half-written files of this or another try."""
        self._remove_leftovers()
        folder = pathlib.Path(self.directory)
        before = set(folder.glob("step-*"))
        try:
            path: str | None = super().save(checkpoint_number, **kwargs)
        except BaseException:
            self._remove_leftovers()
            # TensorFlow writes the index, its last file, in place: it may be cut off.
            for file in set(folder.glob("step-*")) - before:
                file.unlink(missing_ok=True)
            raise
        return path

    def _write_list(self) -> None:
        """Writes `checkpoint`, which the base class starts from, for the checkpoints on the disk.

        It may be damaged or gone; the base class would then forget them, and later replace them.
        """
        file = pathlib.Path(self.shared) / "checkpoint"
        found = step_files(file.parent)
        if not found:
            file.unlink(missing_ok=True)
            return
        lines = [f'model_checkpoint_path: "step-{max(found)}"']
        lines += [f'all_model_checkpoint_paths: "step-{step}"' for step in found]
        # The base class removes only what has a time.
        for files in found.values():
            lines.append(f"all_model_checkpoint_timestamps: {files[0].stat().st_mtime}")
        write_text(file, "\n".join([*lines, "last_preserved_timestamp: 0.0", ""]))

    def _remove_leftovers(self) -> None:
        # Nobody else writes here: other hosts have folders of their own.
        for leftover in pathlib.Path(self.directory).glob("step-*_temp"):
            shutil.rmtree(leftover, ignore_errors=True)

    def restore_or_initialize(self) -> str | None:
        """Restores the newest readable checkpoint.

        Returns:
            Its path, or None if there are no checkpoints yet.

        Raises:
            ValueError: there are checkpoints, but none can be read.
        """
        paths = [f"{self.shared}/step-{step}" for step in step_files(pathlib.Path(self.shared))]
        for path in reversed(paths):
            try:
                self.checkpoint.restore(path).assert_existing_objects_matched()
                return path
            except Exception as error:  # damaged bytes can raise anything
                reason = first_line(error)[:200]
                log.warning("Checkpoint %s cannot be read, trying the one before: %s", path, reason)
        if paths:
            raise ValueError(
                f"None of the {len(paths)} checkpoints in {self.shared} can be read. "
                "Move the folder away to start again."
            )
        return None
