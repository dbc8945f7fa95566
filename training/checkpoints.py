"""Checkpoints from which a run goes on as if it had never stopped."""

import logging

import tensorflow as tf

log = logging.getLogger(__name__)


class CheckpointManager(tf.train.CheckpointManager):
    """Keeps the newest checkpoints of model, optimizer and random state.

    A checkpoint is written beside its final name, so a run killed in the middle of writing finds
    the one before. One that cannot be read is passed over, with a warning, for the one before it.

    Args:
        model, optimizer: Keras objects, built under the strategy's scope.
        folder: where checkpoints lie.
        keep: how many are kept.
    """

    def __init__(self, model, optimizer, folder, *, keep):
        # Keras does not count the state of its seed generators as weights: taken along by hand.
        weights = {id(weight) for weight in model.weights}
        seeds = [variable.value for variable in model.variables if id(variable) not in weights]
        super().__init__(
            tf.train.Checkpoint(model=model, optimizer=optimizer, seeds=seeds),
            str(folder),
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
        for path in reversed(self.checkpoints):
            try:
                self.checkpoint.restore(path).assert_existing_objects_matched()
                return path
            except Exception as error:  # damaged bytes raise whatever they happen to break
                reason = str(error).strip().splitlines()[0][:200]
                log.warning("Checkpoint %s cannot be read, trying the one before: %s", path, reason)
        if self.checkpoints:
            raise ValueError(
                f"None of the {len(self.checkpoints)} checkpoints in {self.directory} can be read. "
                "Move the folder away to start again."
            )
        return None
