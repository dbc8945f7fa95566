"""`saved_models.verify` finds what is wrong, even if the manifest was rewritten."""

import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from saved_models import make, verify
from saved_models.archive import pack
from saved_models.artefact import load_keras_model, read_golden
from saved_models.interface import interface_problems
from saved_models.learning import learning_problems
from saved_models.manifest import write_manifest


def change_golden(folder):
    golden = read_golden(folder)
    golden["logits"][0, 0] += 1e-3
    np.savez(folder / "golden.npz", **golden)


def change_metrics(folder):
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["test"]["accuracy"] = 0.999
    (folder / "metrics.json").write_text(json.dumps(metrics))


def change_weights(folder):
    model = load_keras_model(folder)
    model.get_layer("head").bias.assign_add(np.full(10, 0.01))
    model.save(folder / "model.keras")


def swap_saved_models(folder):
    shutil.rmtree(folder / "classifier")
    shutil.copytree(folder / "feature_vector", folder / "classifier")


def foreign_saved_model(folder):
    shutil.rmtree(folder / "feature_vector")
    module = tf.Module()
    module.f = tf.function(
        lambda x: tf.strings.length(tf.io.read_file(x)),
        input_signature=[tf.TensorSpec((), "string")],
    )
    tf.saved_model.save(module, str(folder / "feature_vector"))


def shorten_metrics(folder):
    metrics = json.loads((folder / "metrics.json").read_text())
    del metrics["training"]["config"]
    (folder / "metrics.json").write_text(json.dumps(metrics))


FAULTS = {
    "golden": (change_golden, "differ from golden.npz by 1.0e-03"),
    "metrics": (change_metrics, "README.md does not match metrics.json"),
    "shape of metrics": (shorten_metrics, "It is damaged: KeyError('config')"),
    "weights": (change_weights, "model.keras, logits: its outputs differ from golden.npz by"),
    "labels": (
        lambda f: (f / "labels.txt").write_text("a\nb\n"),
        "labels.txt and metrics.json list different classes",
    ),
    "swapped": (swap_saved_models, "classifier is a SavedModel that outputs features, not logits."),
    "foreign": (foreign_saved_model, "holds the operation ReadFile"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_behind_a_fresh_manifest_is_found(fault, copy):
    change, message = FAULTS[fault]
    change(copy)
    write_manifest(copy, copy.name)
    problems = verify.problems_of(copy)
    assert any(message in problem for problem in problems), problems


def test_a_change_without_a_new_manifest_is_found_before_anything_is_read(copy, monkeypatch):
    monkeypatch.setattr(verify, "_content_problems", None)
    (copy / "model.keras").write_bytes(b"")
    (problem,) = verify.problems_of(copy)
    assert problem.startswith("model.keras has changed: it has 0 bytes")


def test_a_renamed_folder_is_found(copy):
    other = copy.rename(copy.with_name("vit_imagenet"))
    assert (
        "is called vit_imagenet but holds the artefact mixer_digits" in verify.problems_of(other)[0]
    )


def test_a_tarball_of_an_artefact_and_of_a_saved_model(made, tmp_path, capsys):
    paths = [tmp_path / "whole.tar.gz", tmp_path / "classifier.tar.gz"]
    pack(made, paths[0])
    pack(made / "classifier", paths[1])
    verify.main([str(path) for path in paths])
    assert capsys.readouterr().out.count("no problems") == 2


def test_a_saved_model_with_a_changed_file_is_found(copy):
    (copy / "classifier" / "assets" / "labels.txt").write_text("a\n")
    (problem,) = verify.problems_of(copy / "classifier")
    assert problem == "assets/labels.txt does not match keras_mlp.json."


@pytest.mark.parametrize("path", ["absent", "text.tar.gz", "empty", "text.zip"])
def test_what_is_no_artefact_is_one_line_and_exit_code_1(path, tmp_path, capsys):
    (tmp_path / "text.tar.gz").write_text("text")
    (tmp_path / "text.zip").write_text("text")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit) as stop:
        verify.main([str(tmp_path / path)])
    assert stop.value.code == 1
    assert capsys.readouterr().out.count("\n") == 1


class Toy(tf.Module):
    """A callable whose output does not depend on its second weight."""

    def __init__(self, loss=None):
        self.used, self.left = tf.Variable(1.0), tf.Variable(1.0)
        self.trainable = [self.used, self.left]
        self.regularization_losses = [lambda: tf.constant(loss)] if loss else []

    def __call__(self, images, training=False):
        return tf.reshape(tf.cast(images, tf.float32), (len(images), -1)) * self.used

    @property
    def trainable_variables(self):
        return self.trainable


PIXELS = np.full((2, 4, 4, 1), 200, "uint8")


def test_a_weight_that_does_not_learn_is_named():
    (problem,) = learning_problems("toy", Toy(), PIXELS, "MLPMixer")
    assert problem.startswith("toy: a training step does not move Variable")


def test_a_loss_that_is_no_number_is_named():
    assert (
        "the loss of a training step is nan"
        in learning_problems("toy", Toy(float("nan")), PIXELS, "MLPMixer")[0]
    )


def test_what_an_export_of_keras_lacks_is_named(tmp_path):
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten()])
    model.export(tmp_path / "exported", verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "exported"))
    assert interface_problems("x", loaded, PIXELS, np.zeros((2, 16)), 1e-5) == [
        "x: the loaded object cannot be called."
    ]


def test_missing_attributes_and_signatures_are_named():
    toy = Toy()
    toy.signatures = {}
    problems = interface_problems("toy", toy, PIXELS, np.zeros((2, 16)), 1e-5, ["block_0"])
    assert "toy: it has no `serve`." in problems and "toy: it has no `features`." in problems
    assert "toy: it has no signature 'serving_bytes'." in problems


@pytest.mark.parametrize("program", [make, verify])
def test_the_terminal_is_set_up_before_any_work(program, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(program, "set_up_terminal", lambda: calls.append("set up"))
    (tmp_path / "empty").mkdir()
    arguments = [str(tmp_path / "empty"), *["--output", str(tmp_path)] * (program is make)]
    with pytest.raises(SystemExit):
        program.main(arguments)
    assert calls == ["set up"]
