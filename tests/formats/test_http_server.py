"""The HTTP service of an ONNX file answers as the Keras model does, batched or not."""

import concurrent.futures
import io
import json
import urllib.error
import urllib.request
import uuid

import keras
import numpy as np
import pytest
from PIL import Image

from benchmarks.http_serving import load_test, running_server
from keras_mlp import MLPMixer
from keras_mlp.formats import export_onnx
from tests.contract import with_random_weights

pytestmark = pytest.mark.formats
NOISE = np.random.default_rng(0).integers(0, 256, (8, 12, 3), "uint8")  # does not compress
NAMES = ["ant", "bee", "cat", "dog", "eel"]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A model, the path of its ONNX file, and the address of a server that batches."""
    for name in ("tf2onnx", "litserve"):
        pytest.importorskip(name, reason=f"make test-formats installs {name}")
    folder = tmp_path_factory.mktemp("served")
    model = with_random_weights(
        MLPMixer(image_shape=(8, 12, 3), patch_size=4, num_layers=1, hidden_dim=8, num_classes=5)
    )
    model.class_names = NAMES
    path = export_onnx(model, folder / "model.onnx")
    with running_server(str(path), batch=8) as address:
        yield model, path, address


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def answer(address, content, field="picture"):
    """The JSON of the answer to a form with one file."""
    boundary = uuid.uuid4().hex
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="a"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    body += content + f"\r\n--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    request = urllib.request.Request(f"{address}/predict", body, headers)
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply)


def test_answers_of_many_clients_are_those_of_the_model(served):
    model, _, address = served
    pixels = np.random.default_rng(0).integers(0, 256, (32, 8, 12, 3), "uint8")
    shares = keras.ops.convert_to_numpy(keras.ops.softmax(model(pixels)))
    with concurrent.futures.ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(lambda each: answer(address, png(each)), pixels))
    for found, expected in zip(answers, shares, strict=True):
        best = np.argsort(-expected)[:3]
        assert list(found) == [NAMES[each] for each in best]
        np.testing.assert_allclose(list(found.values()), expected[best], atol=1e-3)


def test_pictures_of_another_size_and_kind_are_converted(served):
    grey = np.random.default_rng(0).integers(0, 256, (40, 30), "uint8")
    assert sum(answer(served[2], png(grey)).values()) <= 1.001


@pytest.mark.parametrize(
    ("content", "field", "message"),
    [
        (b"GIF89a", "picture", "no whole picture"),
        (b"", "picture", "no whole picture"),
        (png(NOISE)[:150], "picture", "no whole picture"),
        (png(np.zeros((8, 12, 3), "uint8")), "image", 'no file \\"picture\\"'),
        (png(np.zeros((4001, 4000), "uint8")), "picture", "more than 16,000,000 pixels"),
    ],
    ids=["cut-off GIF", "empty", "cut-off PNG", "another field", "too large"],
)
def test_what_is_no_picture_is_refused_and_the_server_lives(served, content, field, message):
    with pytest.raises(urllib.error.HTTPError) as error:
        answer(served[2], content, field)
    assert error.value.code == 400
    assert message in error.value.read().decode()
    assert answer(served[2], png(np.zeros((8, 12, 3), "uint8")))


def test_the_load_test_counts_requests(served, tmp_path):
    picture = tmp_path / "picture.png"
    picture.write_bytes(png(np.zeros((8, 12, 3), "uint8")))
    path = str(served[1])
    (found,) = load_test(path, str(picture), clients=[2], batches=[1], seconds=2)
    assert found["batch"] == 1 and found["clients"] == 2 and found["requests"] > 5
    times = found["milliseconds"]
    assert 0 < times["50"] <= times["95"] <= times["99"]
