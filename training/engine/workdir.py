"""The folder of a run: its config and its learning curve."""

import contextlib
import json
import os
import pathlib
import tempfile

from keras_mlp.whole_files import write_text
from training.engine.stored_config import as_stored, flat


class Workdir:
    """A folder that belongs to one config.

    Args:
        path: created if need be.
        config: a `training.config.Config`; must be the one that the folder was made with.
        chief: False for a worker that reads only.
        accept_changes: go on with another config than the folder was made with.

    Raises:
        ValueError: the folder cannot be written to, or holds a run of another config; the keys
            that differ are listed.
    """

    def __init__(self, path, config, *, chief=True, accept_changes=False):
        self.path = pathlib.Path(path)
        self.chief = chief
        if not chief:
            return
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path):
                pass
        except OSError as error:
            raise ValueError(f"`--workdir` {path} cannot be written to: {error}.") from None
        self._claim(config, accept_changes)

    @property
    def checkpoints(self):
        return self.path / "checkpoints"

    def read_history(self, last_step):
        """Entries of the learning curve up to a step; later ones are dropped, here and on disk."""
        file = self.path / "history.jsonl"
        lines = file.read_text().splitlines(keepends=True) if file.exists() else []
        # A process killed while it wrote leaves a last line without its end.
        entries = [json.loads(line) for line in lines if line.endswith("\n")]
        kept = [entry for entry in entries if entry["step"] <= last_step]
        if self.chief:
            write_text(file, "".join(json.dumps(entry) + "\n" for entry in kept))
        return kept

    @contextlib.contextmanager
    def log(self, name):
        """Sends what is printed inside of the `with` block to the end of a file."""
        path = self.path / name if self.chief else os.devnull
        with open(path, "a") as log, contextlib.redirect_stdout(log):
            yield

    def append_history(self, entry):
        """Adds one point to the learning curve."""
        if not self.chief:
            return
        try:
            with open(self.path / "history.jsonl", "a") as file:
                file.write(json.dumps(entry) + "\n")
        except OSError as error:
            raise OSError(
                f"`--workdir` {self.path} is gone or cannot be written: {error.strerror}."
            ) from error

    def _claim(self, config, accept_changes):
        file = self.path / "config.json"
        new = as_stored(config)
        if file.exists():
            here = _values(new)
            # A key that came after the folder was made: what it does by default was done before.
            defaults = _values(as_stored(type(config)()))
            there = {**defaults, **_values(json.loads(file.read_text()))}
            absent = object()
            differing = [
                f"{key}: {_shown(there, key)} there, {_shown(here, key)} here"
                for key in {**here, **there}
                if there.get(key, absent) != here.get(key, absent)
            ]
            if differing and not accept_changes:
                raise ValueError(
                    f"`--workdir` {self.path} holds a run of another config "
                    f"({', '.join(differing)}). `--accept-changes` goes on with it all the same."
                )
        write_text(file, json.dumps(new, indent=2) + "\n")


def _shown(values, key):
    return repr(values[key]) if key in values else "absent"


def _values(stored):
    # An empty dict, such as that of no constructor arguments, holds nothing to compare.
    return {key: value for key, value in flat(stored).items() if value != {}}
