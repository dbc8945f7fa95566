"""The exact GELU in an order of operations that TensorFlow's graph optimizer does not fuse."""


def reorder_gelu(folder):
    """Turns `(0.5 * x) * (1 + erf)` into `x * (0.5 + 0.5 * erf)` throughout a SavedModel.

    The converter to TensorFlow.js fuses the first form into the matrix product before it, as an
    activation "geluexact" that TensorFlow.js does not have. Halving is exact in floating point, so
    both forms give the same bits.

    Args:
        folder: path of a SavedModel, which is changed in place.

    Returns:
        How many were found.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    file = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    functions = saved.meta_graphs[0].graph_def.library.function
    count = sum(_reorder(function.node_def) for function in functions)
    file.write_bytes(saved.SerializeToString())
    return count


def _reorder(nodes):
    by_name = {node.name: node for node in nodes}
    users = {}
    for node in nodes:
        for tensor in node.input:
            users.setdefault(_source(tensor), []).append((node, tensor))
    return sum(_reorder_one(erf, by_name, users) for erf in nodes if erf.op == "Erf")


def _reorder_one(erf, by_name, users):
    """Rewires the nodes around one erf; False where they are not those of `gelu`."""
    add, erf_tensor = _only_user(erf, users, "AddV2")
    product, total = _only_user(add, users, "Mul")
    if product is None or product.input[0] == product.input[1]:
        return False
    (half_x,) = [tensor for tensor in product.input if tensor != total]
    half = by_name.get(_source(half_x))
    one = _constant(add, by_name, 1.0)
    one_half = half is not None and half.op == "Mul" and _constant(half, by_name, 0.5)
    if not one or not one_half or len(users[half.name]) != 1:
        return False
    (x,) = [tensor for tensor in half.input if tensor != one_half]
    _replace(half, x, erf_tensor)
    _replace(add, erf_tensor, half_x)
    _replace(add, one, one_half)
    _replace(product, half_x, x)
    return True


def _only_user(node, users, op):
    """The one node that takes a node's output, and what it calls that; None unless it is an op."""
    found = users.get(node.name, []) if node is not None else []
    return found[0] if len(found) == 1 and found[0][0].op == op else (None, None)


def _constant(node, by_name, value):
    """What a node calls its input that is a constant of this value; None if there is none."""
    import tensorflow as tf

    for tensor in node.input:
        source = by_name.get(_source(tensor))
        if source is not None and source.op == "Const":
            array = tf.make_ndarray(source.attr["value"].tensor)
            if array.size == 1 and array.item() == value:
                return tensor
    return None


def _replace(node, old, new):
    node.input[list(node.input).index(old)] = new


def _source(tensor):
    """The name of the node that gives a tensor, "node:output:0" in a function."""
    return tensor.split(":")[0]
