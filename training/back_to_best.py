"""Returns a run to its best checkpoint, which the next `training.train` in its folder continues:

    python -m training.back_to_best runs/digits

For a run whose loss exploded or is no longer finite. Nothing is deleted: newer checkpoints, the
learning curve and the metrics of a finished run move to `set_aside_N/` in the run's folder.
"""

from training.command_line import Arguments, back_to_best_options
from training.engine.interruption import end_on_ctrl_c

if __name__ == "__main__":  # wrong options end here, before Keras loads
    end_on_ctrl_c()
    back_to_best_options(__doc__)

import itertools
import pathlib
import shutil
from typing import Any

from keras_mlp.whole_files import whole_file
from training.engine.best import BestCheckpoint
from training.engine.folder_lock import FolderLock
from training.engine.step_files import step_files
from training.program_end import clear_end

# What says that a run is finished, and where it got to.
_OUTCOME = ("metrics.json", "history.jsonl")


def back_to_best(folder: pathlib.Path) -> tuple[dict[str, Any], pathlib.Path]:
    """Makes the best checkpoint of a run its newest one.

    Args:
        folder: folder of a run of `training.train`.

    Returns:
        What the checkpoint was judged by (see `BestCheckpoint`), and the folder of what it
        replaces.

    Raises:
        ValueError: there is no best checkpoint, or a run is at work in the folder.
        OSError: the folder cannot be written.
    """
    lock = FolderLock(folder)
    try:
        return _swap(folder)
    finally:
        lock.release()


def _swap(folder: pathlib.Path) -> tuple[dict[str, Any], pathlib.Path]:
    checkpoints = folder / "checkpoints"
    best = BestCheckpoint(checkpoints)
    copies = step_files(best.folder)
    if best.judged is None or best.judged["step"] not in copies:
        raise ValueError(
            f"{folder} has no best checkpoint: there must be {best.folder}, which "
            "`training.train` writes after the first epoch."
        )
    step = best.judged["step"]
    aside = next(
        path for n in itertools.count(1) if not (path := folder / f"set_aside_{n}").exists()
    )
    (aside / "checkpoints").mkdir(parents=True)
    found = step_files(checkpoints)
    # The best one is there before those that hide it are gone.
    for file in copies[step]:
        with whole_file(checkpoints / file.name) as new:
            shutil.copy2(file, new)
    for newer in reversed([each for each in found if each > step]):
        for file in found[newer]:
            file.rename(aside / "checkpoints" / file.name)
    for name in _OUTCOME:
        if (folder / name).exists():
            shutil.copy2(folder / name, aside / name)
    (folder / "metrics.json").unlink(missing_ok=True)
    return best.judged, aside


def main(arguments: Arguments = None) -> None:
    options = back_to_best_options(__doc__, arguments)
    with clear_end():
        judged, aside = back_to_best(pathlib.Path(options.run))
    print(
        f"{options.run} is back at step {judged['step']} (epoch {judged['epoch']:.2f}, "
        f"{judged['by']} loss {judged['loss']:.4f}); what came after it is in {aside}.\n"
        "The command of training.train continues from there: with `--accept-changes --set "
        "optimizer.learning_rate=...` for another learning rate, or with `--accept-changes --set "
        f"epochs={max(1, round(judged['epoch']))}` to end there and evaluate it."
    )


if __name__ == "__main__":
    main()
