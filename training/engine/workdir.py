"""The folder of a run: its owner, its config and its learning curve."""

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from keras_mlp.json_files import json_text, read_json, read_json_lines, write_json
from keras_mlp.whole_files import remove_leftovers, write_text
from training.engine.folder_lock import FolderLock
from training.engine.stored_config import as_stored, flat, in_todays_terms

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


CONFIG_FILE = "config.json"
# What makes a folder that of a run. Without any of them a try has failed before it trained.
_RESULTS = ("history.jsonl", "metrics.json", "model.keras", "checkpoints/step-*.*")


class Workdir:
    """A folder that belongs to one config, and to one process at a time.

    A folder without a result, such as that of a run that failed at once, may be used with another
    config. What killed writers left in the folder is removed.

    Args:
        path: path of the folder, which is created if it does not exist.
        config: a config of `training.config`; the folder must have been made with the same one.
        chief: False for a worker, which only reads.
        accept_changes: continue with a config other than the folder was made with; None for a
            program that cannot.
        may_grow: keys of lists of the config that may have more values than the folder was made
            with, such as the seeds of a comparison.

    Raises:
        ValueError: the folder cannot be written to, is in use by another run, holds a damaged
            `config.json`, or holds a run of another config; the keys that differ are listed.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        config: "DataclassInstance",
        *,
        chief: bool = True,
        accept_changes: bool | None = None,
        may_grow: Collection[str] = (),
    ) -> None:
        if not os.fspath(path):
            raise ValueError("`--workdir` must not be empty; use . for the current folder.")
        self.path = pathlib.Path(path)
        self.chief = chief
        if not chief:
            return
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path):
                pass
            self._lock = FolderLock(self.path)
        except OSError as error:
            raise ValueError(f"`--workdir` {path} cannot be written to: {error}.") from None
        try:
            self._claim(config, accept_changes, may_grow)
        except BaseException:
            self._lock.release()
            raise
        for folder in (self.path, self.checkpoints):
            remove_leftovers(folder)

    def __enter__(self) -> "Workdir":
        return self

    def __exit__(self, *exception: object) -> None:
        """Lets other runs use the folder. The end of the process does so too."""
        if self.chief:
            self._lock.release()

    @property
    def checkpoints(self) -> pathlib.Path:
        return self.path / "checkpoints"

    def read_history(self, last_step: int) -> list[dict[str, Any]]:
        """Reads the learning curve up to a step; later entries are dropped, on disk too.

        Raises:
            ValueError: `history.jsonl` is damaged. A last line that a killed process left without
                its end is not damage; it is dropped.
        """
        file = self.path / "history.jsonl"
        entries: list[dict[str, Any]] = []
        if file.exists():
            way_out = "Remove it to continue without the learning curve so far."
            entries = read_json_lines(
                file,
                way_out,
                lambda entry: (entry["step"] + 0, entry["seconds"] + 0.0),
                unfinished=True,
            )
        kept = [entry for entry in entries if entry["step"] <= last_step]
        if self.chief:
            write_text(file, "".join(json_text(entry) + "\n" for entry in kept))
        return kept

    @contextlib.contextmanager
    def log(self, name: str) -> Iterator[None]:
        """Appends what the `with` block prints to a file."""
        path = self.path / name if self.chief else os.devnull
        with open(path, "a", encoding="utf-8") as log, contextlib.redirect_stdout(log):
            yield

    def append_history(self, entry: dict[str, Any]) -> None:
        """Adds one point to the learning curve."""
        if not self.chief:
            return
        try:
            with open(self.path / "history.jsonl", "a", encoding="utf-8") as file:
                file.write(json_text(entry) + "\n")
        except OSError as error:
            raise OSError(
                f"`--workdir` {self.path} is gone or cannot be written: {error.strerror}."
            ) from error

    def _claim(
        self,
        config: "DataclassInstance",
        accept_changes: bool | None,
        may_grow: Collection[str],
    ) -> None:
        if not accept_changes and any(
            file.stat().st_size for name in _RESULTS for file in self.path.rglob(name)
        ):
            way_out = "Choose another folder"
            if accept_changes is not None:
                way_out += ", or continue its training with this config by `--accept-changes`"
            check_same_config(self.path, config, f"{way_out}.", may_grow)
        write_json(self.path / CONFIG_FILE, as_stored(config))


def check_same_config(
    path: pathlib.Path,
    config: "DataclassInstance",
    way_out: str,
    may_grow: Collection[str] = (),
) -> None:
    """Raises ValueError if a folder was made with another config, or its `config.json` is damaged.

    Args:
        path: of the folder. One without that file passes.
        config: a config of `training.config`.
        way_out: a sentence that tells the user what to do with a folder of another config.
        may_grow: as for `Workdir`.
    """
    file = path / CONFIG_FILE
    if not file.exists():
        return
    here = _values(as_stored(config))
    # A key that is newer than the folder has its default there: what programs did before.
    defaults = _values(as_stored(type(config)()))
    repair = "Remove it to continue here with this config, or choose another folder."
    stored = _values(read_json(file, repair, _values))
    there = {**defaults, **in_todays_terms(stored)}
    absent = object()
    differing = [
        f"{key}: {_shown(there, key)} there, {_shown(here, key)} here"
        for key in {**here, **there}
        if there.get(key, absent) != here.get(key, absent)
        and not (key in may_grow and _holds_more(here[key], there[key]))
    ]
    if differing:
        raise ValueError(
            f"`--workdir` {path} holds a run of another config ({', '.join(differing)}). {way_out}"
        )


def _holds_more(here: list[Any], there: list[Any]) -> bool:
    """Whether all values are kept. An empty list stands for a default, not for no values."""
    return bool(there) and set(there) <= set(here)


def _shown(values: dict[str, Any], key: str) -> str:
    return repr(values[key]) if key in values else "absent"


def _values(stored: dict[str, Any]) -> dict[str, Any]:
    # An empty dict, such as no constructor arguments, holds nothing to compare.
    return {key: value for key, value in flat(stored).items() if value != {}}
