"""ONNX files, run by ONNX Runtime."""

import importlib.util
import json

import keras
import pytest

import keras_mlp
from keras_mlp import ARCHITECTURES
from keras_mlp.formats import export_onnx
from tests.contract import predict, some_pixels, with_random_weights
from tests.formats import runtimes
from tests.test_contract import factory


def toy(architecture="MLPMixer", **overrides):
    return with_random_weights(factory(architecture)(**overrides))


@pytest.mark.formats
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_it_computes_what_the_model_computes(architecture, tmp_path):
    model = toy(architecture)
    path = export_onnx(model, tmp_path / "toy.onnx")
    for batch in (1, 3):
        pixels = some_pixels(model, batch)
        runtimes.assert_same(runtimes.onnx(path, pixels), predict(model, pixels))
    assert [file.name for file in tmp_path.iterdir()] == ["toy.onnx"]
    assert runtimes.onnx(path, pixels[:0]).shape == (0, 5)


@pytest.mark.formats
def test_the_file_says_what_it_is(tmp_path):
    import onnx

    proto = onnx.load(export_onnx(toy(), tmp_path / "toy.onnx"))
    metadata = {each.key: each.value for each in proto.metadata_props}
    assert metadata == {"keras_mlp": keras_mlp.__version__, "class_name": "MLPMixer"}
    (pixels,), (logits,) = proto.graph.input, proto.graph.output
    assert pixels.name == "pixels" and logits.name == "logits"
    assert pixels.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    for end in (pixels, logits):
        assert end.type.tensor_type.shape.dim[0].dim_param == "batch"


@pytest.mark.formats
def test_names_of_classes_are_metadata(tmp_path):
    import onnx

    model = toy(num_classes=2)
    model.class_names = ["ant", "große Katze"]
    proto = onnx.load(export_onnx(model, tmp_path / "toy.onnx"))
    metadata = {each.key: each.value for each in proto.metadata_props}
    assert json.loads(metadata["class_names"]) == ["ant", "große Katze"]


@pytest.mark.formats
def test_an_operation_that_the_format_lacks_is_named(tmp_path):
    images = keras.Input((4, 4, 1))
    # Keras' own exact GELU: the reason for keras_mlp.layers.gelu.
    model = keras.Model(images, keras.ops.gelu(images, approximate=False), name="keras_gelu")
    with pytest.raises(ValueError, match=r"`model` keras_gelu cannot be converted to ONNX: .*Erfc"):
        export_onnx(model, tmp_path / "toy.onnx")
    assert not list(tmp_path.iterdir())


def test_without_its_libraries_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"tf2onnx and onnx must .* install 'keras_mlp\[onnx\]'"):
        export_onnx(toy(), tmp_path / "toy.onnx")


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"`path` must end in \.onnx"):
        export_onnx(toy(), tmp_path / "toy.tflite")
