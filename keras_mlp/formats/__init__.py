"""Files for inference in other runtimes: LiteRT, ONNX, OpenVINO and TensorFlow.js."""

from keras_mlp.formats.litert import export_litert
from keras_mlp.formats.onnx import export_onnx
from keras_mlp.formats.openvino import export_openvino
from keras_mlp.formats.tfjs import export_tfjs

__all__ = ["export_litert", "export_onnx", "export_openvino", "export_tfjs"]
