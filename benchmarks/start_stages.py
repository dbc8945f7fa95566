"""How long one contender of `benchmarks.start` takes from its imports to its second answer.

Takes an order as JSON, prints the stages as a line of JSON. Imports at the top would not be timed.
"""

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

Stages = dict[str, dict[str, float]]


def main() -> None:
    order = json.loads(sys.argv[1])
    print(json.dumps(CONTENDERS[order["contender"]](order)))


def built(order: dict[str, Any]) -> Stages:
    """Our model with random weights, on the backend of the environment."""
    return _ours("build", lambda mixer: mixer.from_variant(order["variant"]))


def preset(order: dict[str, Any]) -> Stages:
    """Our model with the weights of a file in timm's naming."""
    return _ours(
        "load", lambda mixer: mixer.from_preset(order["weights"], variant=order["variant"])
    )


def _ours(stage: str, make: Callable[[Any], Any]) -> Stages:
    stages: Stages = {}
    with _timed(stages, "import"):
        import keras_mlp
    with _timed(stages, stage):
        model = make(keras_mlp.MLPMixer)
    import keras
    import numpy as np

    images = np.zeros((1, *model.image_shape), "uint8")
    _time_calls(stages, lambda: keras.ops.convert_to_numpy(model(images, training=False)))
    return stages


def saved(order: dict[str, Any]) -> Stages:
    """The SavedModel of the same model, in plain TensorFlow."""
    stages: Stages = {}
    with _timed(stages, "import"):
        import tensorflow as tf
    with _timed(stages, "load"):
        model = tf.saved_model.load(order["folder"])
    images = tf.zeros((1, *order["image_shape"]), tf.uint8)
    _time_calls(stages, lambda: model(images).numpy())
    return stages


def timm(order: dict[str, Any]) -> Stages:
    """timm's model of the network with random weights."""
    return _timm(order, "build")


def timm_preset(order: dict[str, Any]) -> Stages:
    """The same with the weights of the file."""
    return _timm(order, "load", checkpoint_path=order["weights"])


def _timm(order: dict[str, Any], stage: str, **arguments: Any) -> Stages:
    stages: Stages = {}
    with _timed(stages, "import"):
        from benchmarks.contenders.timm_mixer import declare_detection_ops

        declare_detection_ops()
        import timm
        import torch
    with _timed(stages, stage):
        model = timm.create_model(order["timm_model"], **arguments).eval()
    height, width, channels = order["image_shape"]
    images = torch.zeros((1, channels, height, width))
    with torch.inference_mode():
        _time_calls(stages, lambda: model(images).numpy())
    return stages


def export(order: dict[str, Any]) -> Stages:
    """Writes the SavedModel that `saved` loads, and the file of weights."""
    import keras_mlp

    stages: Stages = {}
    model = keras_mlp.MLPMixer.from_variant(order["variant"])
    with _timed(stages, "export"):
        keras_mlp.export_saved_model(model, order["folder"])
    keras_mlp.save_checkpoint(model, order["weights"])
    return stages


CONTENDERS: dict[str, Callable[[dict[str, Any]], Stages]] = {
    "tensorflow": built,
    "jax": built,
    "preset": preset,
    "saved_model": saved,
    "timm": timm,
    "timm_preset": timm_preset,
    "export": export,
}


def _time_calls(stages: Stages, call: Callable[[], object]) -> None:
    for name in ("first call", "second call"):
        with _timed(stages, name):
            call()


@contextlib.contextmanager
def _timed(stages: Stages, name: str) -> Iterator[None]:
    clock, cpu = time.perf_counter(), time.process_time()
    yield
    stages[name] = {
        "seconds": time.perf_counter() - clock,
        "cpu_seconds": time.process_time() - cpu,
    }


if __name__ == "__main__":
    main()
