"""The best checkpoint of a run, kept beside the newest ones."""

import contextlib
import math
import os
import pathlib
import shutil
from typing import Any

from keras_mlp.json_files import read_json, write_json
from keras_mlp.whole_files import whole_folder
from training.engine.step_files import step_files

BEST = "best"
_JUDGED_FILE = "judged.json"


class BestCheckpoint:
    """Keeps a copy of the best checkpoint in `checkpoints/best/`, with what it was judged by.

    A loss that explodes spoils every newer checkpoint, but not this one.

    Args:
        checkpoints: folder of the run's checkpoints.

    Attributes:
        judged: None before the first one; else a dict: `step`; `epoch`; `by`, "validation" or
            "train"; `loss`; and `accuracy`.

    Raises:
        ValueError: the file with this dict is damaged.
    """

    def __init__(self, checkpoints: pathlib.Path) -> None:
        self.checkpoints = checkpoints
        self.folder = checkpoints / BEST
        self.judged: dict[str, Any] | None = None
        with contextlib.suppress(FileNotFoundError):
            way_out = f"Move {self.folder} away to continue without the best checkpoint so far."
            self.judged = read_json(self.folder / _JUDGED_FILE, way_out, _rank)

    def offer(self, judged: dict[str, Any]) -> None:
        """Takes the checkpoint of `judged["step"]` if it is better than the one that is kept."""
        files = step_files(self.checkpoints).get(judged["step"])
        loss = judged["loss"]  # None in an entry that was read again, where it was not finite
        if not files or loss is None or not math.isfinite(loss) or not self._is_better(judged):
            return
        with whole_folder(self.folder) as folder:
            for file in files:
                _link(file, folder / file.name)
            write_json(folder / _JUDGED_FILE, judged, indent=None)
        self.judged = judged

    def _is_better(self, judged: dict[str, Any]) -> bool:
        if self.judged is None or self.judged["by"] != judged["by"]:
            return True
        return _rank(judged) > _rank(self.judged)


def judged_by(entry: dict[str, Any], step: int, epoch: float) -> dict[str, Any]:
    """What an entry of the learning curve says of the checkpoint of a step."""
    by = "validation" if "validation" in entry else "train"
    measured = {key: entry[by][key] for key in ("loss", "accuracy")}
    return {"step": step, "epoch": epoch, "by": by, **measured}


def _rank(judged: dict[str, Any]) -> tuple[float, ...]:
    """Larger is better: validation accuracy, then validation loss; or the training loss alone."""
    # Augmentation and mixing make the accuracy in training say little.
    accuracy = (judged["accuracy"],) if judged["by"] == "validation" else ()
    return *accuracy, -judged["loss"]


def _link(file: pathlib.Path, new: pathlib.Path) -> None:
    """A second name for a checkpoint's file, which is replaced but never changed."""
    try:
        os.link(file, new)
    except OSError:  # a file system without links
        shutil.copy2(file, new)
