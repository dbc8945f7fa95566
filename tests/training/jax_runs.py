"""Runs on JAX, one after the other in one process: starting takes longer than training."""

import json
import os
import signal
import sys

from tests.training.blank_pictures import blank_pictures
from training import config as types
from training.engine.interruption import RESUMABLE, Interrupted
from training.engine.jax.session import Session
from training.train import train_seeds


def config(tree):
    sections = {
        name: getattr(types, name.capitalize())(
            **{key: tuple(each) if isinstance(each, list) else each for key, each in values.items()}
        )
        for name, values in tree.items()
        if isinstance(values, dict)
    }
    return types.check_config(types.Config(epochs=tree["epochs"], **sections))


def send_a_signal_at(stop_at):
    """From step `stop_at` on, training gets SIGTERM."""
    run = Session.run

    def run_and_signal(self, count):
        run(self, count)
        if self.step >= stop_at:
            os.kill(os.getpid(), signal.SIGTERM)

    Session.run = run_and_signal


def main(orders):
    for order in json.loads(orders):
        if "stop_at" in order:
            send_a_signal_at(order["stop_at"])
        configs = [config(tree) for tree in order["configs"]]
        try:
            with blank_pictures():
                train_seeds(configs, order["workdirs"])
        except Interrupted:
            sys.exit(RESUMABLE)
