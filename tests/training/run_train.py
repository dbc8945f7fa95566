"""Trains the config in a JSON file: a process of its own for tests of strategies and of kills."""

import json
import sys

from tests.training.blank_pictures import blank_pictures
from training import config as types
from training.engine.interruption import RESUMABLE, Interrupted
from training.train import train


def main(config_file, workdir):
    with open(config_file, encoding="utf-8") as file:
        tree = json.load(file)
    sections = {
        name: getattr(types, name.capitalize())(**values)
        for name, values in tree.items()
        if isinstance(values, dict)
    }
    for section, key in (("data", "classes"), ("data", "image_sizes"), ("model", "patch_sizes")):
        setattr(sections[section], key, tuple(getattr(sections[section], key)))
    config = types.check_config(types.Config(epochs=tree["epochs"], **sections))
    try:
        with blank_pictures():
            train(config, workdir)
    except Interrupted:
        sys.exit(RESUMABLE)


if __name__ == "__main__":
    main(*sys.argv[1:])
