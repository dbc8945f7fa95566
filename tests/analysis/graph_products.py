"""The products that TensorFlow actually computes for a model, read from its traced graph."""

import dataclasses
import math

import tensorflow as tf


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
    sizes: tuple


def graph_products(model):
    """Every product in the graph of one image through a model, inner functions included."""
    products = []
    for operation in _operations(model):
        if operation.type in _MACS:
            products.append(_product(operation))
        else:
            assert not ("MatMul" in operation.type or "Conv" in operation.type), operation.type
    return products


def graph_activations(model):
    """How many numbers the activation functions of that graph return."""
    kinds = ("Erf", "Erfc", "Tanh", "Relu", "Sigmoid", "Softmax", "Elu", "Softplus", "Exp")
    outputs = [each.outputs[0] for each in _operations(model) if each.type in kinds]
    return sum(math.prod(output.shape) for output in outputs)


def _operations(model):
    images = tf.TensorSpec((1, *model.image_shape), tf.float32)
    graph = tf.function(lambda x: model(x, training=False)).get_concrete_function(images).graph
    for operation in graph.get_operations():
        assert not operation.type.endswith("PartitionedCall"), "a function inside is not read"
        yield operation


def _product(operation):
    shapes = [tuple(tensor.shape) for tensor in operation.inputs[:2]]
    output = tuple(operation.outputs[0].shape)
    has_kernel = any(_is_weight(tensor) for tensor in operation.inputs[:2])
    macs = _MACS[operation.type](operation, *shapes, output)
    return Product(macs, has_kernel, tuple(math.prod(shape) for shape in (*shapes, output)))


def _is_weight(tensor):
    """Whether a tensor is read from a variable, at most through casts and reshapes."""
    operation = tensor.op
    while operation.type in ("Cast", "Reshape", "Identity", "Transpose"):
        operation = operation.inputs[0].op
    return operation.type == "ReadVariableOp"


def _matmul(operation, first, second, output):
    transposed = operation.node_def.attr
    flag = "transpose_a" if "transpose_a" in transposed else "adj_x"
    return math.prod(output) * first[-2 if transposed[flag].b else -1]


def _einsum(operation, first, second, output):
    equation = operation.get_attr("equation").decode()
    inputs = equation.split("->")[0].split(",")
    sizes = {
        letter: size
        for letters, shape in zip(inputs, (first, second), strict=True)
        for letter, size in zip(letters, shape, strict=True)
    }
    return math.prod(sizes.values())


def _convolution(operation, image, kernel, output):
    return math.prod(output) * math.prod(kernel[:-1])


def _depthwise(operation, image, kernel, output):
    return math.prod(output) * kernel[0] * kernel[1]


_MACS = {
    "MatMul": _matmul,
    "BatchMatMulV2": _matmul,
    "BatchMatMulV3": _matmul,
    "Einsum": _einsum,
    "Conv2D": _convolution,
    "DepthwiseConv2dNative": _depthwise,
}
