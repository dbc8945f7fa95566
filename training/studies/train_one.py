"""The program of one process of `training.studies.parallel`: it reads its run from stdin."""

import pickle
import sys

from training.engine.interruption import Interrupted, end_on_ctrl_c, leave_resumable
from training.studies.pace import with_planned_steps
from training.terminal import set_up_terminal
from training.train import train_seeds


def main() -> None:
    end_on_ctrl_c()
    config, folder, minutes = pickle.load(sys.stdin.buffer)
    set_up_terminal()
    try:
        train_seeds(with_planned_steps([config], folder.parent, minutes), [folder])
    except Interrupted:
        leave_resumable()
    except (ValueError, FloatingPointError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
