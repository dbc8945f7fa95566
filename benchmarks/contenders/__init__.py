"""The contenders of the benchmarks on CPU: their names, needs and factories.

A factory takes the fields of a `Task` as a dict and returns a function without arguments that does
the work once. In inference it runs the batch and returns its logits (B, K) as a numpy array, in
training it makes one step and returns the loss. Each factory runs in its own process.
"""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Contender:
    """One way to compute the task.

    Attributes:
        name: its name on the command line.
        description: its description in the table.
        factory: "module:function", or whatever its worker takes instead.
        libraries: top-level modules it needs; without them it is reported as missing.
        worker: the interpreter's arguments that start its process.
        form: what `python -m keras_mlp.formats --format` calls the file that it runs; None if it
            runs the model of the task itself.
        precision: what it computes in, "float32", "bfloat16" or "int8"; outputs of the last two
            are compared loosely.
        environment: variables of its process, besides those that all have.
        architectures: those that its library has; None for whatever the task has.
    """

    name: str
    description: str
    factory: str
    libraries: tuple[str, ...]
    worker: tuple[str, ...] = ("-m", "benchmarks.worker")
    form: str | None = None
    precision: str = "float32"
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    architectures: tuple[str, ...] | None = None


_TENSORFLOW = ("tensorflow", "keras", "numpy")
_JAX = ("jax", "keras", "numpy")
_ON_JAX = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
_TIMM = ("torch", "timm", "torchvision", "numpy")
# To write the file and to run it: both happen in one interpreter.
_LITERT = ("ai_edge_litert", "tensorflow", "numpy")
_ONNX = ("onnxruntime", "tf2onnx", "numpy")
_OPENVINO = ("openvino", "tensorflow", "numpy")

_OURS = "benchmarks.contenders.ours"
_TORCH = "benchmarks.contenders.timm_mixer"
_FILES = "benchmarks.contenders.exported"
_PEERS = "benchmarks.contenders.keras_peers"

INFERENCE = {
    contender.name: contender
    for contender in (
        Contender("ours", "keras_mlp, tf.function, 2-D products", f"{_OURS}:flat", _TENSORFLOW),
        Contender(
            "ours_nd",
            "keras_mlp, tf.function with XLA, products over all axes",
            f"{_OURS}:all_axes_with_xla",
            _TENSORFLOW,
        ),
        Contender(
            "ours_bf16",
            "keras_mlp, tf.function, bfloat16",
            f"{_OURS}:bfloat16",
            _TENSORFLOW,
            precision="bfloat16",
        ),
        Contender(
            "ours_frozen",
            "keras_mlp, frozen_function",
            f"{_OURS}:constants",
            _TENSORFLOW,
        ),
        Contender(
            "ours_frozen_bf16",
            "keras_mlp, frozen_function, bfloat16",
            f"{_OURS}:bfloat16_constants",
            _TENSORFLOW,
            precision="bfloat16",
        ),
        Contender(
            "ours_jax",
            "keras_mlp on JAX, jit",
            "benchmarks.contenders.ours_jax:float32",
            _JAX,
            environment=_ON_JAX,
        ),
        Contender("timm_eager", "timm, inference_mode", f"{_TORCH}:eager", _TIMM),
        Contender(
            "timm_compile", "timm, torch.compile, inference_mode", f"{_TORCH}:compiled", _TIMM
        ),
        Contender(
            "timm_freezing",
            "timm, torch.compile with inductor's freezing",
            f"{_TORCH}:frozen",
            _TIMM,
        ),
        Contender(
            "timm_eager_bf16",
            "timm, bfloat16",
            f"{_TORCH}:eager_bfloat16",
            _TIMM,
            precision="bfloat16",
        ),
        Contender(
            "timm_compile_bf16",
            "timm, torch.compile, bfloat16",
            f"{_TORCH}:compiled_bfloat16",
            _TIMM,
            precision="bfloat16",
        ),
        Contender(
            "timm_freezing_bf16",
            "timm, torch.compile with inductor's freezing, bfloat16",
            f"{_TORCH}:frozen_bfloat16",
            _TIMM,
            precision="bfloat16",
        ),
        Contender(
            "timm_int8",
            "timm, torch.compile, int8 by torchao",
            f"{_TORCH}:int8",
            (*_TIMM, "torchao"),
            precision="int8",
        ),
        Contender(
            "keras_hub",
            "KerasHub, tf.function",
            f"{_PEERS}:keras_hub",
            ("keras_hub", *_TENSORFLOW),
            architectures=("ViT",),
        ),
        Contender(
            "zeromodels",
            "ZeroModels, tf.function",
            f"{_PEERS}:zeromodels",
            ("zeromodels", *_TENSORFLOW),
            architectures=("MLPMixer", "ResMLP", "ViT"),
        ),
        Contender("litert", "LiteRT, float32", f"{_FILES}:litert", _LITERT, form="litert"),
        Contender(
            "litert_int8",
            "LiteRT, dynamic int8",
            f"{_FILES}:litert",
            _LITERT,
            form="litert-int8",
            precision="int8",
        ),
        Contender("onnx", "ONNX Runtime, float32", f"{_FILES}:onnx", _ONNX, form="onnx"),
        Contender(
            "openvino", "OpenVINO, float32", f"{_FILES}:openvino", _OPENVINO, form="openvino"
        ),
        Contender(
            "openvino_bf16",
            "OpenVINO, bfloat16",
            f"{_FILES}:openvino_bf16",
            _OPENVINO,
            form="openvino",
            precision="bfloat16",
        ),
        Contender(
            "openvino_int8",
            "OpenVINO, int8 by NNCF, the rest float32",
            f"{_FILES}:openvino",
            (*_OPENVINO, "nncf"),
            form="openvino-int8",
            precision="int8",
        ),
    )
}

_OUR_STEP = "benchmarks.contenders.training_ours"
_TORCH_STEP = "benchmarks.contenders.training_timm"

TRAINING = {
    contender.name: contender
    for contender in (
        Contender("ours", "keras_mlp, tf.function", f"{_OUR_STEP}:float32", _TENSORFLOW),
        Contender(
            "ours_bf16",
            "keras_mlp, tf.function, mixed_bfloat16",
            f"{_OUR_STEP}:bfloat16",
            _TENSORFLOW,
            precision="bfloat16",
        ),
        Contender(
            "ours_gelu",
            "keras_mlp, tf.function, GELU and LayerNorm compiled by XLA",
            f"{_OUR_STEP}:float32_compiled_gelu",
            _TENSORFLOW,
        ),
        Contender(
            "ours_gelu_bf16",
            "keras_mlp, tf.function, mixed_bfloat16, GELU and LayerNorm compiled by XLA",
            f"{_OUR_STEP}:bfloat16_compiled_gelu",
            _TENSORFLOW,
            precision="bfloat16",
        ),
        Contender(
            "ours_jax",
            "keras_mlp on JAX, jit",
            "benchmarks.contenders.training_jax:float32",
            _JAX,
            environment=_ON_JAX,
        ),
        Contender("timm_eager", "timm", f"{_TORCH_STEP}:eager", _TIMM),
        Contender("timm_compile", "timm, torch.compile", f"{_TORCH_STEP}:compiled", _TIMM),
        Contender(
            "timm_eager_bf16",
            "timm, autocast to bfloat16",
            f"{_TORCH_STEP}:eager_bfloat16",
            _TIMM,
            precision="bfloat16",
        ),
        Contender(
            "timm_compile_bf16",
            "timm, torch.compile, autocast to bfloat16",
            f"{_TORCH_STEP}:compiled_bfloat16",
            _TIMM,
            precision="bfloat16",
        ),
    )
}
