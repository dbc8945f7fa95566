"""Checkpoints from which a run goes on as if it had never stopped."""

import logging
import tempfile

import tensorflow as tf

from keras_mlp.errors import first_line

log = logging.getLogger(__name__)


class CheckpointManager(tf.train.CheckpointManager):
    """Keeps the newest checkpoints of model, optimizer and random state.

    A checkpoint is written beside its final name, so a run killed in the middle of writing finds
    the one before. One that cannot be read is passed over, with a warning, for the one before it.

    On several hosts all of them must save at the same time and restore the same: only the chief's
    checkpoints are kept, others write theirs to a folder that is thrown away.

    Args:
        model, optimizer: Keras objects, built under the strategy's scope.
        folder: where checkpoints lie.
        keep: how many are kept.
        chief: whether this process keeps what it saves.
        state: from a name to further variables, or lists of them.
    """

    def __init__(self, model, optimizer, folder, *, keep, chief=True, state=None):
        # Keras does not count the state of its seed generators as weights: taken along by hand.
        weights = {id(weight) for weight in model.weights}
        seeds = [variable.value for variable in model.variables if id(variable) not in weights]
        self.shared = str(folder)
        # Removed with this object.
        self.thrown_away = None if chief else tempfile.TemporaryDirectory()
        super().__init__(
            tf.train.Checkpoint(model=model, optimizer=optimizer, seeds=seeds, **(state or {})),
            self.shared if chief else self.thrown_away.name,
            max_to_keep=keep,
            checkpoint_name="step",
        )

    def restore_or_initialize(self):
        """Restores the newest readable checkpoint.

        Returns:
            Its path, or None where there is none yet.

        Raises:
            ValueError: there are checkpoints, and none can be read.
        """
        state = tf.train.get_checkpoint_state(self.shared)
        paths = list(state.all_model_checkpoint_paths) if state else []
        for path in reversed(paths):
            try:
                self.checkpoint.restore(path).assert_existing_objects_matched()
                return path
            except Exception as error:  # damaged bytes raise whatever they happen to break
                reason = first_line(error)[:200]
                log.warning("Checkpoint %s cannot be read, trying the one before: %s", path, reason)
        if paths:
            raise ValueError(
                f"None of the {len(paths)} checkpoints in {self.shared} can be read. "
                "Move the folder away to start again."
            )
        return None
