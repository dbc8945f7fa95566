"""Runs exported files in their own runtimes."""

import json
import pathlib
import subprocess
import warnings

import numpy as np

RUN_TFJS = pathlib.Path(__file__).with_name("run_tfjs.cjs")


def litert(path, images, library="tensorflow"):
    """Outputs of a `.tflite` file: of all images at once, unless the file fixes the batch."""
    runner = litert_interpreter(path, library).get_signature_runner("serving_default")
    ((name, details),) = runner.get_input_details().items()
    free = details["shape_signature"][0] == -1
    batch = len(images) if free else details["shape"][0]
    outputs = [runner(**{name: images[i : i + batch]}) for i in range(0, len(images), batch)]
    assert all(len(each) == 1 for each in outputs)
    return np.concatenate([next(iter(each.values())) for each in outputs])


def litert_interpreter(path, library="tensorflow"):
    if library == "ai_edge_litert":
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter(str(path))
    import tensorflow as tf

    with warnings.catch_warnings():
        # TensorFlow's own interpreter warns that it is moving to ai-edge-litert.
        warnings.simplefilter("ignore", UserWarning)
        return tf.lite.Interpreter(str(path))


def onnx(path, images):
    """Output of an `.onnx` file."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    (outputs,) = session.run(None, {session.get_inputs()[0].name: images})
    return outputs


def openvino(folder, images):
    """Output of an OpenVINO folder, in float32 on any processor."""
    import openvino as runtime

    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = runtime.compile_model(folder / "model.xml", "CPU", exact)
    (name,), (output,) = (end.get_names() for end in (compiled.input(0), compiled.output(0)))
    return compiled({name: images})[output]


def tfjs(folder, images):
    """Output of a TensorFlow.js graph model, in node."""
    order = {"shape": images.shape, "dtype": str(images.dtype), "values": images.ravel().tolist()}
    finished = subprocess.run(
        ["node", RUN_TFJS, folder], input=json.dumps(order), capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stderr
    reply = json.loads(finished.stdout)
    return np.array(reply["values"], "float32").reshape(reply["shape"])


def assert_same(found, expected):
    """Equal up to float32 rounding: 1e-5, times the outputs' deviation if that is above 1."""
    assert found.shape == expected.shape and found.dtype == "float32"
    assert np.std(expected) > 0.01  # so that equality is not trivial
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * max(1.0, np.std(expected)))
