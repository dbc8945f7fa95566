"""The examples that need a runtime: the browser's JavaScript in node, and LiteRT on a CPU."""

import json
import pathlib
import shutil
import subprocess

import numpy as np
import pytest

from examples import litert_cpu
from keras_mlp.formats import export_tfjs
from tests.contract import predict, with_random_weights
from tests.own_process import ROOT
from tests.test_contract import factory

PAGE = ROOT / "examples" / "browser"
RUN = pathlib.Path(__file__).with_name("run_browser.mjs")


def softmax(logits):
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def classified(folder, scratch, rgba, labels):
    """What classify.js returns for a picture (H, W, 4)."""
    # With another suffix: node treats .js as a module only next to a package.json.
    script = shutil.copy(PAGE / "classify.js", scratch / "classify.mjs")
    picture = {"data": rgba.ravel().tolist(), "width": rgba.shape[1], "height": rgba.shape[0]}
    finished = subprocess.run(
        ["node", RUN, script, folder],
        input=json.dumps({"picture": picture, "labels": labels}),
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


@pytest.mark.formats
@pytest.mark.parametrize("channels", [1, 3])
def test_the_browser_names_the_classes_that_keras_names(channels, tmp_path):
    model = with_random_weights(factory("MLPMixer")(image_shape=(16, 24, channels)))
    folder = export_tfjs(model, tmp_path / "model")
    rgba = np.random.default_rng(0).integers(0, 256, (16, 24, 4))
    reply = classified(folder, tmp_path, rgba, labels=["a", "b", "c", "d"])  # one is missing
    pixels = rgba[None, ..., :3]
    if channels == 1:
        pixels = np.round(pixels @ [[0.299], [0.587], [0.114]])
    expected = softmax(predict(model, pixels.astype("uint8"))[0])
    assert reply["size"] == [16, 24] and reply["channels"] == channels
    order = np.argsort(-expected)[:3]
    names = ["a", "b", "c", "d", "class 4"]
    assert [each["label"] for each in reply["classes"]] == [names[at] for at in order]
    found = [each["probability"] for each in reply["classes"]]
    np.testing.assert_allclose(found, expected[order], rtol=0, atol=1e-5)


def test_the_page_and_its_instructions_agree():
    page, readme = (PAGE / "index.html").read_text(), (PAGE.parent / "README.md").read_text()
    assert 'src="node_modules/@tensorflow/tfjs/dist/tf.min.js"' in page
    assert 'from "./classify.js"' in page
    for text in (readme, (ROOT / "Makefile").read_text()):
        assert "@tensorflow/tfjs@4.22.0" in text


@pytest.mark.formats
def test_litert_computes_what_keras_computes(tmp_path, capsys):
    with_random_weights(factory("MLPMixer")()).save(tmp_path / "model.keras")
    litert_cpu.main(["--source", str(tmp_path / "model.keras")])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["float32", "dynamic_int8"]
    assert float(lines[0].split()[-1]) < 1e-4


def test_times_are_medians_of_calls_of_one_image():
    shapes = []
    run = litert_cpu.median_milliseconds(lambda image: shapes.append(image.shape), np.zeros((3, 2)))
    assert shapes == [(1, 2)] * 3 and 0 <= run < 1000


def test_a_source_that_is_not_there_is_named(capsys):
    with pytest.raises(SystemExit) as stop:
        litert_cpu.main(["--source", "no/such"])
    assert stop.value.code == 2
    assert "`source` must be a .keras file, and there is no no/such" in capsys.readouterr().err
