"""Reorders the exact GELU so that TensorFlow's graph optimizer does not fuse it."""

import pathlib
from collections.abc import Iterable
from typing import Any, TypeAlias

# A protobuf message, which has no static type here, and the name of a tensor.
_Node: TypeAlias = Any
_Users: TypeAlias = dict[str, list[tuple[_Node, str]]]


def reorder_gelu(folder: pathlib.Path) -> int:
    """Turns `(0.5 * x) * (1 + erf)` into `x * (0.5 + 0.5 * erf)` throughout a SavedModel.

    The converter to TensorFlow.js fuses the first form into the preceding matmul, as an activation
    "geluexact" that TensorFlow.js does not have. Halving is exact in floating point, so both forms
    give the same bits.

    Args:
        folder: folder of a SavedModel, which is changed in place.

    Returns:
        The number of GELUs found.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    file = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    functions = saved.meta_graphs[0].graph_def.library.function
    count = sum(_reorder(function.node_def) for function in functions)
    file.write_bytes(saved.SerializeToString())
    return count


def _reorder(nodes: Iterable[_Node]) -> int:
    by_name = {node.name: node for node in nodes}
    users: _Users = {}
    for node in nodes:
        for tensor in node.input:
            users.setdefault(_source(tensor), []).append((node, tensor))
    return sum(_reorder_one(erf, by_name, users) for erf in nodes if erf.op == "Erf")


def _reorder_one(erf: _Node, by_name: dict[str, _Node], users: _Users) -> bool:
    """Rewires the nodes around one erf; returns False if they are not those of `gelu`."""
    add, erf_tensor = _only_user(erf, users, "AddV2")
    product, total = _only_user(add, users, "Mul")
    if product is None or product.input[0] == product.input[1]:
        return False
    (half_x,) = [tensor for tensor in product.input if tensor != total]
    half = by_name.get(_source(half_x))
    one = _constant(add, by_name, 1.0)
    if half is None or half.op != "Mul" or len(users[half.name]) != 1:
        return False
    one_half = _constant(half, by_name, 0.5)
    if one is None or one_half is None:
        return False
    (x,) = [tensor for tensor in half.input if tensor != one_half]
    _replace(half, x, erf_tensor)
    _replace(add, erf_tensor, half_x)
    _replace(add, one, one_half)
    _replace(product, half_x, x)
    return True


def _only_user(node: _Node, users: _Users, op: str) -> tuple[_Node, str]:
    """Returns the only node that uses a node's output, and the output's name, if it is an `op`."""
    found = users.get(node.name, []) if node is not None else []
    return found[0] if len(found) == 1 and found[0][0].op == op else (None, "")


def _constant(node: _Node, by_name: dict[str, _Node], value: float) -> str | None:
    """Returns the name of the input that is a constant with this value; None if there is none."""
    import tensorflow as tf

    for tensor in node.input:
        source = by_name.get(_source(tensor))
        if source is not None and source.op == "Const":
            array = tf.make_ndarray(source.attr["value"].tensor)
            if array.size == 1 and array.item() == value:
                return tensor
    return None


def _replace(node: _Node, old: str, new: str) -> None:
    node.input[list(node.input).index(old)] = new


def _source(tensor: str) -> str:
    """Returns the name of the node that computes a tensor, "node:output:0" in a function."""
    return tensor.split(":")[0]
