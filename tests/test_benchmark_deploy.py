"""The benchmark of deployed models, on a toy in real processes."""

import contextlib
import math

import keras
import numpy as np
import pytest

import keras_mlp
from benchmarks import deploy
from benchmarks.agreement import Disagreement
from benchmarks.rounds import Sample
from keras_mlp.layers import RepMLPBlock
from tests.contract import predict


def toy():
    inputs = keras.Input((8, 8, 4))
    return keras.Model(inputs, RepMLPBlock(num_sharesets=2)(inputs), name="toy")


@pytest.mark.sweep
def test_both_forms_are_measured_and_described(monkeypatch, capsys):
    monkeypatch.setattr(deploy, "SUBJECTS", {"toy": deploy.Subject(toy, 3)})
    deploy.main(["--rounds", "2", "--seconds", "0.001", "--subjects", "toy"])
    text = capsys.readouterr().out
    assert text.startswith("## toy, 3 images per call\n\n| contender |")
    rows = [
        line.split(" | ") for line in text.splitlines() if line.startswith(("| training", "| dep"))
    ]
    model = toy()
    forms = {"training form": model, "deployed form": keras_mlp.deploy(model)}
    for row, (name, form) in zip(rows, forms.items(), strict=True):
        count = sum(math.prod(weight.shape) for weight in form.trainable_weights)
        assert row[0] == f"| {name}"
        assert row[1].startswith(f"{count:,} parameters, ") and row[1].endswith(" MB")
    assert rows[0][4] == "1.00" and float(rows[1][4]) > 0
    for fact in ("date", "cpu", "commit", "command", "versions"):
        assert f"\n- {fact}: " in text


class FakeWorker(contextlib.nullcontext):
    """Loads the model in this process."""

    versions = {}

    def __init__(self, contender, task, python, seconds):
        super().__init__(self)
        self.name, self.description = contender.name, contender.description
        self.output = predict(keras.models.load_model(task.model), np.load(task.images))

    def sample(self):
        return Sample(2.0 if self.name == deploy.TRAINS else 1.0, calls=1, cpu_share=1.0)


def test_forms_that_disagree_are_not_timed(monkeypatch):
    monkeypatch.setattr(deploy, "WorkerProcess", FakeWorker)
    run = deploy.measure(deploy.Subject(toy, 2), rounds=3, seconds=0.001)
    assert run["contenders"][deploy.DEPLOYED]["summary"].ratio == 2
    assert 0 <= run["contenders"][deploy.DEPLOYED]["difference"] < 1e-5
    broken = keras_mlp.deploy(toy())
    monkeypatch.setattr(keras_mlp, "deploy", lambda model: broken)
    with pytest.raises(Disagreement, match="deployed form differs from training form"):
        deploy.measure(deploy.Subject(toy, 2), rounds=1, seconds=0.001)


def test_statistics_are_random():
    fresh, model = toy(), toy()
    model.set_weights(fresh.get_weights())
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 4))
    before = predict(model, images)
    assert np.abs(predict(deploy.with_random_statistics(model), images) - before).max() > 1e-3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--subjects", "T224"], "`subjects` is 'T224'. Allowed: 'RepMLPNet-T224', "),
        (["--rounds", "0"], "`rounds` must be a positive integer, got 0"),
        (["--seconds", "0"], "`seconds` must be a finite number above 0"),
    ],
)
def test_bad_arguments_end_before_any_work(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        deploy.main(arguments)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
