"""The products that TensorFlow computes for one image, read from the traced graph of a model."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from keras_mlp.typing import Shape


@dataclasses.dataclass(frozen=True)
class Product:
    """One matrix product or convolution.

    Attributes:
        macs: multiply-accumulates, from the shapes of its operands.
        has_kernel: whether one operand is a weight.
        sizes: numbers in both operands and in the output.
    """

    macs: int
    has_kernel: bool
    sizes: tuple[int, ...]


def graph_products(model: keras.Model) -> list[Product]:
    """Every product in the graph of one image through a model.

    Args:
        model: any Keras model from one tensor of images.

    Raises:
        ValueError: the graph has a product of a kind that is not counted, or a function inside.
    """
    products = []
    for operation in graph_operations(model):
        if operation.type in _MACS:
            products.append(_product(operation))
        elif "MatMul" in operation.type or "Conv" in operation.type:
            raise ValueError(f"{model.name} computes {operation.type}, which is not counted.")
    return products


def graph_operations(model: keras.Model) -> Iterator[Any]:
    """The operations of that graph; ValueError for a function inside, which would hide others."""
    images = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)
    graph = tf.function(lambda x: model(x, training=False)).get_concrete_function(images).graph
    for operation in graph.get_operations():
        if operation.type.endswith("PartitionedCall"):
            raise ValueError(f"{model.name} calls a function inside, which is not counted.")
        yield operation


def _product(operation: Any) -> Product:
    first, second = (tuple(tensor.shape) for tensor in operation.inputs[:2])
    output = tuple(operation.outputs[0].shape)
    has_kernel = any(_is_weight(tensor) for tensor in operation.inputs[:2])
    macs = _MACS[operation.type](operation, first, second, output)
    return Product(macs, has_kernel, tuple(math.prod(shape) for shape in (first, second, output)))


def _is_weight(tensor: Any) -> bool:
    """Whether a tensor is read from a variable, at most through casts and reshapes."""
    operation = tensor.op
    while operation.type in ("Cast", "Reshape", "Identity", "Transpose"):
        operation = operation.inputs[0].op
    return bool(operation.type == "ReadVariableOp")


def _matmul(operation: Any, first: Shape, second: Shape, output: Shape) -> int:
    transposed = operation.node_def.attr
    flag = "transpose_a" if "transpose_a" in transposed else "adj_x"
    return math.prod(output) * first[-2 if transposed[flag].b else -1]


def _einsum(operation: Any, first: Shape, second: Shape, output: Shape) -> int:
    equation = operation.get_attr("equation").decode()
    inputs = equation.split("->")[0].split(",")
    sizes = {
        letter: size
        for letters, shape in zip(inputs, (first, second), strict=True)
        for letter, size in zip(letters, shape, strict=True)
    }
    return math.prod(sizes.values())


def _convolution(operation: Any, image: Shape, kernel: Shape, output: Shape) -> int:
    return math.prod(output) * math.prod(kernel[:-1])


def _depthwise(operation: Any, image: Shape, kernel: Shape, output: Shape) -> int:
    return math.prod(output) * kernel[0] * kernel[1]


_MACS: dict[str, Callable[[Any, Shape, Shape, Shape], int]] = {
    "MatMul": _matmul,
    "BatchMatMulV2": _matmul,
    "BatchMatMulV3": _matmul,
    "Einsum": _einsum,
    "Conv2D": _convolution,
    "DepthwiseConv2dNative": _depthwise,
}
