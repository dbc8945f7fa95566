"""docs/serving.md: the signatures accept what its code blocks write."""

import base64
import json
import re

import numpy as np
import pytest
import tensorflow as tf

from keras_mlp import SavedModelLayer, export_saved_model
from tests.export.toys import toy
from tests.own_process import ROOT

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """(folder of the SavedModel, the names that the Python blocks of the page define)."""
    folder = tmp_path_factory.mktemp("serving")
    (folder / "models/mixer").mkdir(parents=True)
    path = export_saved_model(toy(), folder / "models/mixer/1")
    blocks = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "docs/serving.md").read_text(), re.M | re.S
    )
    names = {"__name__": "page"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(compile("\n".join(blocks), "docs/serving.md", "exec"), names)
    return path, names


def served(path, request):
    """The outputs of a PredictRequest's signature for its inputs, as a server would run it."""
    loaded = tf.saved_model.load(str(path))
    inputs = {name: tf.constant(tf.make_ndarray(proto)) for name, proto in request.inputs.items()}
    return loaded.signatures[request.model_spec.signature_name](**inputs)["logits"]


def test_every_warm_up_request_can_be_served(page):
    from tensorflow_serving.apis import prediction_log_pb2

    path, _ = page
    records = tf.data.TFRecordDataset(str(path / "assets.extra/tf_serving_warmup_requests"))
    logs = [prediction_log_pb2.PredictionLog.FromString(each.numpy()) for each in records]
    requests = [log.predict_log.request for log in logs]
    sizes = {(each.model_spec.signature_name, len(served(path, each))) for each in requests}
    assert sizes == {(name, n) for name in ("serving_bytes", "serving_uint8") for n in (1, 32)}


def test_the_warm_up_leaves_the_saved_model_whole(page):
    SavedModelLayer(page[0])  # compares digests


def test_the_bodies_of_rest_requests_fit_the_signatures(page):
    path, names = page
    loaded = tf.saved_model.load(str(path))
    body = json.loads(names["body"])
    files = [base64.b64decode(each["encoded"]["b64"]) for each in body["instances"]]
    of_files = loaded.signatures[body["signature_name"]](encoded=tf.constant(files))
    body = json.loads(names["pixels_body"])
    pixels = tf.constant(np.array(body["instances"], "uint8"))
    of_pixels = loaded.signatures[body["signature_name"]](pixels=pixels)
    np.testing.assert_array_equal(of_files["logits"], of_pixels["logits"])
