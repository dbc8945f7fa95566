"""Which operations of a graph make it unsafe to load."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from saved_models.operations import SAVER, host_operations, operation_problems

SPEC = tf.TensorSpec((None,), tf.float32)


def saved(path, compute):
    module = tf.Module()
    module.weight = tf.Variable(2.0)
    module.compute = tf.function(lambda x: compute(x) * module.weight, input_signature=[SPEC])
    tf.saved_model.save(module, str(path))
    return path


def read_file(x):
    return x + tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32)


def write_file(x):
    tf.io.write_file("/tmp/never", "text")
    return x


def print_to_file(x):
    tf.print(x, output_stream="file:///tmp/never")
    return x


def save(x):
    tf.raw_ops.SaveV2(prefix="/tmp/never", tensor_names=["x"], shape_and_slices=[""], tensors=[x])
    return x


def call_python(x):
    return tf.reshape(tf.numpy_function(np.negative, [x], tf.float32), tf.shape(x))


UNWELCOME = {
    "ReadFile": read_file,
    "WriteFile": write_file,
    "PrintV2": print_to_file,
    "SaveV2": save,
    "PyFunc": call_python,
}


def test_the_saver_alone_is_expected(tmp_path):
    path = saved(tmp_path / "plain", lambda x: x)
    assert sorted({operation for _, operation in host_operations(path)}) == sorted(SAVER)
    assert operation_problems(path) == []


@pytest.mark.parametrize("operation", UNWELCOME)
def test_an_operation_that_touches_the_host_is_named(operation, tmp_path):
    path = saved(tmp_path / "model", UNWELCOME[operation])
    (problem,) = operation_problems(path)
    assert problem.startswith(f"model: its graph holds the operation {operation} in __inference_")


def test_a_model_that_calls_the_saver_is_found(tmp_path):
    from tensorflow.core.protobuf import saved_model_pb2

    path = saved(tmp_path / "model", lambda x: x)
    graph = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    functions = graph.meta_graphs[0].graph_def.library.function
    (saver,) = (f.signature.name for f in functions if "traced_save" in f.signature.name)
    caller = next(f for f in functions if "traced" not in f.signature.name)
    caller.node_def.add(name="call", op="PartitionedCall").attr["f"].func.name = saver
    (path / "saved_model.pb").write_bytes(graph.SerializeToString())
    assert {problem.split()[6] for problem in operation_problems(path)} == {
        "MergeV2Checkpoints",
        "SaveV2",
        "ShardedFilename",
    }


@pytest.mark.parametrize("content", [None, b"", b"no graph"])
def test_a_file_that_is_no_graph_is_one_clear_error(content, tmp_path):
    if content is not None:
        pathlib.Path(tmp_path / "saved_model.pb").write_bytes(content)
    with pytest.raises(ValueError, match=r"has no saved_model.pb|is damaged: it") as error:
        operation_problems(tmp_path)
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)
