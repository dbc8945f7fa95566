"""One model as a Keras file and in other formats: images in, logits out.

Every factory runs the images of its task in batches of `task["batch"]`; a LiteRT file uses its own
fixed batch size.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.contenders import Contender
from benchmarks.contenders.model_file import tensorflow_for

KERAS, KERAS_INT8, SAVED_MODEL = "Keras", "Keras int8", "SavedModel"
LITERT, LITERT_INT8, ONNX, TFJS = "LiteRT", "LiteRT int8", "ONNX", "TensorFlow.js"
OPENVINO, OPENVINO_BF16, OPENVINO_INT8 = "OpenVINO", "OpenVINO bfloat16", "OpenVINO int8"


def keras_file(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """A `.keras` file, as a `tf.function`."""
    tf = tensorflow_for(task)

    import keras

    import keras_mlp  # noqa: F401, the file names its classes

    model = keras.models.load_model(task["model"], compile=False)
    run = tf.function(lambda pixels: model(pixels, training=False))
    return _in_batches(lambda pixels: run(pixels).numpy(), task)


def saved_model(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """The signature of a SavedModel that takes pixels."""
    tf = tensorflow_for(task)
    loaded = tf.saved_model.load(task["model"])

    def run(pixels: np.ndarray) -> np.ndarray:
        # Look the signature up here: it does not keep `loaded` alive, which must outlive it.
        outputs = loaded.signatures["serving_uint8"](pixels=tf.constant(pixels))
        return outputs["logits"].numpy()

    return _in_batches(run, task)


def litert(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """A `.tflite` file in LiteRT's own runtime."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(task["model"], num_threads=task["threads"])
    runner = interpreter.get_signature_runner()
    ((name, details),) = runner.get_input_details().items()
    batch = details["shape"][0]
    return _in_batches(lambda images: runner(**{name: images})["logits"], {**task, "batch": batch})


def onnx(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """An `.onnx` file in ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = task["threads"]
    session = onnxruntime.InferenceSession(task["model"], options)
    name = session.get_inputs()[0].name
    return _in_batches(lambda images: session.run(["logits"], {name: images})[0], task)


def openvino(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """An OpenVINO folder, in float32 apart from what is quantized."""
    return _openvino(task, "f32")


def openvino_bf16(task: dict[str, Any]) -> Callable[[], np.ndarray]:
    """An OpenVINO folder, in bfloat16."""
    return _openvino(task, "bf16")


def _openvino(task: dict[str, Any], precision: str) -> Callable[[], np.ndarray]:
    """`precision` is OpenVINO's name, such as "f32"."""
    import openvino as runtime

    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": task["threads"],
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,  # the worker's process is pinned
    }
    compiled = runtime.compile_model(f"{task['model']}/model.xml", "CPU", settings)
    request = compiled.create_infer_request()
    return _in_batches(lambda images: request.infer([images])[compiled.output(0)], task)


def _in_batches(
    run: Callable[[np.ndarray], np.ndarray], task: dict[str, Any]
) -> Callable[[], np.ndarray]:
    images, size = np.load(task["images"]), task["batch"]
    starts = range(0, len(images), size)
    return lambda: np.concatenate([run(images[start : start + size]) for start in starts])


def _contender(
    name: str,
    description: str,
    function: Callable[[dict[str, Any]], Callable[[], np.ndarray]],
    *libraries: str,
) -> Contender:
    factory = f"{__name__}:{function.__name__}"
    return Contender(name, description, factory, (*libraries, "numpy"))


_NODE = ("benchmarks/tfjs_worker.cjs",)  # its factory is a backend, not a function of this module
_TENSORFLOW = ("tensorflow", "keras")
CONTENDERS = {
    contender.name: contender
    for contender in (
        _contender(KERAS, "model.keras, tf.function", keras_file, *_TENSORFLOW),
        _contender(KERAS_INT8, 'after quantize("int8")', keras_file, *_TENSORFLOW),
        _contender(SAVED_MODEL, "serving_uint8", saved_model, *_TENSORFLOW),
        _contender(LITERT, "float32", litert, "ai_edge_litert"),
        _contender(LITERT_INT8, "dynamic_int8", litert, "ai_edge_litert"),
        _contender(ONNX, "ONNX Runtime, float32", onnx, "onnxruntime"),
        _contender(OPENVINO, "float32", openvino, "openvino"),
        _contender(OPENVINO_BF16, "bfloat16", openvino_bf16, "openvino"),
        _contender(OPENVINO_INT8, "NNCF, the rest float32", openvino, "openvino"),
        Contender(TFJS, "node, cpu backend", "cpu", ("@tensorflow/tfjs",), _NODE),
    )
}
