"""The contenders of the inference benchmark: their names, needs and factories.

A factory takes the fields of a `Task` as a dict and returns a function without arguments that runs
the batch and returns its logits (B, K) as a numpy array. Each factory runs in its own process.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Contender:
    """One way to compute the task.

    Attributes:
        name: its name on the command line.
        description: its description in the table.
        factory: "module:function", or whatever its worker takes instead.
        libraries: top-level modules it needs; without them it is reported as missing.
        worker: the interpreter's arguments that start its process.
    """

    name: str
    description: str
    factory: str
    libraries: tuple[str, ...]
    worker: tuple[str, ...] = ("-m", "benchmarks.worker")


_OURS = ("tensorflow", "keras", "numpy")
_OPENVINO = ("openvino", "numpy")
_TIMM = ("torch", "timm", "torchvision", "numpy")

CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender(
            "ours",
            "keras_mlp, tf.function, 2-D products",
            "benchmarks.contenders.ours:flat",
            _OURS,
        ),
        Contender(
            "ours_nd",
            "keras_mlp, tf.function with XLA, products over all axes",
            "benchmarks.contenders.ours:all_axes_with_xla",
            _OURS,
        ),
        Contender(
            "timm_eager",
            "timm, inference_mode",
            "benchmarks.contenders.timm_mixer:eager",
            _TIMM,
        ),
        Contender(
            "timm_compile",
            "timm, torch.compile, inference_mode",
            "benchmarks.contenders.timm_mixer:compiled",
            _TIMM,
        ),
        Contender(
            "openvino",
            "OpenVINO, float32",
            "benchmarks.contenders.openvino_folder:float32",
            _OPENVINO,
        ),
        Contender(
            "openvino_bf16",
            "OpenVINO, bfloat16",
            "benchmarks.contenders.openvino_folder:bfloat16",
            _OPENVINO,
        ),
        Contender(
            "openvino_int8",
            "OpenVINO, int8 by NNCF, the rest float32",
            "benchmarks.contenders.openvino_folder:int8",
            _OPENVINO,
        ),
    )
}
