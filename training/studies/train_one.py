"""The program of one process of `training.studies.parallel`: it reads its run from stdin."""

import pickle
import sys

from training.engine.interruption import end_on_ctrl_c
from training.program_end import clear_end
from training.studies.pace import with_planned_steps
from training.terminal import set_up_terminal
from training.train import train_seeds


def main() -> None:
    end_on_ctrl_c()
    config, folder, minutes = pickle.load(sys.stdin.buffer)
    set_up_terminal()
    with clear_end():
        train_seeds(with_planned_steps([config], folder.parent, minutes), [folder])


if __name__ == "__main__":
    main()
