"""Checkpoints of a run as `.npz` files, from which it goes on as if it had never stopped."""

import logging
import pathlib
import typing

import jax
import jax.numpy as jnp
import numpy as np

from keras_mlp.errors import first_line
from keras_mlp.whole_files import whole_file
from training.engine.jax.program import State
from training.engine.step_files import step_files

log = logging.getLogger(__name__)


class Checkpoints:
    """Keeps the newest states of one run.

    A file is written beside its final name, so a run killed while it writes finds the one before.
    One that cannot be read is passed over, with a warning, for the one before it.

    Args:
        folder: where they are.
        keep: how many are kept.
    """

    def __init__(self, folder: pathlib.Path, keep: int) -> None:
        self.folder = folder
        self.keep = keep

    def steps(self) -> list[int]:
        """Steps of the checkpoints, oldest first."""
        return list(step_files(self.folder))

    def save(self, step: int, state: State) -> None:
        """Writes a state, and removes those before it but for the last `keep`.

        Checkpoints of later steps, which could not be read, count for nothing.

        Raises:
            OSError: it cannot be written; those before are kept.
        """
        arrays = {name: _to_stored(np.asarray(leaf)) for name, leaf in _named(state)}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with whole_file(self._path(step)) as path:
                np.savez(path, **arrays)
            for old in [each for each in self.steps() if each <= step][: -self.keep]:
                self._path(old).unlink()
        except OSError as error:
            kept = self.steps()
            before = self._path(kept[-1]) if kept else "none"
            raise OSError(
                f"The checkpoint of step {step} cannot be written: {error}. The last whole one is "
                f"kept ({before}); the same command goes on from it."
            ) from error

    def read(self, step: int, like: State) -> State | None:
        """The state of a step, or None, with a warning, where its file cannot be read.

        Args:
            step: one of `steps()`.
            like: a state with the arrays that are expected.
        """
        try:
            # numpy leaves a damaged file open.
            with open(self._path(step), "rb") as raw, np.load(raw, allow_pickle=False) as file:
                stored = {name: file[name] for name in file.files}
            leaves = [_from_stored(stored.pop(name), leaf) for name, leaf in _named(like)]
            if stored:
                raise ValueError(f"it holds {next(iter(stored))}, which this run lacks")
        except Exception as error:  # damaged bytes raise whatever they happen to break
            reason = first_line(error)[:200]
            path = self._path(step)
            log.warning("Checkpoint %s cannot be read, trying the one before: %s", path, reason)
            return None
        return typing.cast(State, jax.tree.unflatten(jax.tree.structure(like), leaves))

    def _path(self, step: int) -> pathlib.Path:
        return self.folder / f"step-{step}.npz"


def newest_common(
    all_checkpoints: list[Checkpoints], likes: list[State]
) -> tuple[int, list[State]]:
    """The newest step that can be read of every one of several runs, and its states.

    Returns:
        0 and `likes` where there is no checkpoint yet.

    Raises:
        ValueError: there are checkpoints, and no step can be read of all runs.
    """
    common = set.intersection(*(set(each.steps()) for each in all_checkpoints))
    for step in sorted(common, reverse=True):
        states = [each.read(step, like) for each, like in zip(all_checkpoints, likes, strict=True)]
        whole = [state for state in states if state is not None]
        if len(whole) == len(states):
            return step, whole
    if any(each.steps() for each in all_checkpoints):
        folders = ", ".join(str(each.folder) for each in all_checkpoints)
        raise ValueError(
            f"No checkpoint in {folders} can be read, or not the same step of each. Move the "
            "folder away to start again."
        )
    return 0, likes


def _named(state: State) -> list[tuple[str, typing.Any]]:
    leaves = jax.tree_util.tree_flatten_with_path(state)[0]
    return [(jax.tree_util.keystr(path, simple=True, separator="/"), leaf) for path, leaf in leaves]


def _to_stored(array: typing.Any) -> typing.Any:
    # numpy's format has no bfloat16: it is stored as the integers of its bits.
    return array.view(np.uint16) if array.dtype == jnp.bfloat16 else array


def _from_stored(array: typing.Any, like: jax.Array) -> jax.Array:
    if like.dtype == jnp.bfloat16:
        array = array.view(jnp.bfloat16)
    if array.shape != like.shape or array.dtype != like.dtype:
        raise ValueError(f"{array.dtype} {array.shape} where {like.dtype} {like.shape} is expected")
    return jnp.asarray(array)
