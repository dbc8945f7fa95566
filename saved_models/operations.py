"""Operations of a SavedModel's graph that could affect the host, found without loading it.

A graph may hold operations that read or write files, or call Python. TensorFlow writes a saver with
four such operations into every SavedModel, in functions that nothing else calls; any other one is a
reason not to load the model.
"""

import pathlib
import re
from collections.abc import Iterable, Iterator
from typing import Any

# Words in the names of such operations; better too many than too few.
_HOST = re.compile(
    "File|PyFunc|Save|Restore|Checkpoint|Dataset|Iterator|Record|Reader|Summary|Debug|Rpc|Remote"
    "|Print|Dump|Load|Table|Send$|Recv$|Host|Collective|Infeed|Outfeed|Stage"
)
# The saver's operations, which write and read the variables.
SAVER = ("MergeV2Checkpoints", "RestoreV2", "SaveV2", "ShardedFilename")
_SAVER_FUNCTION = re.compile(r"__inference__traced_(save|restore)_\d+")


def host_operations(folder: str | pathlib.Path) -> list[tuple[str, str]]:
    """Lists the operations that touch files or run code.

    Args:
        folder: folder of a SavedModel; it is not loaded.

    Returns:
        A sorted list of (function, operation); the function is "" for the graph outside functions.

    Raises:
        ValueError: there is no `saved_model.pb`, or it is damaged.
    """
    found = set()
    for graph in _graphs(folder):
        for function, nodes in _functions(graph):
            found |= {(function, node.op) for node in nodes if _HOST.search(node.op)}
    return sorted(found)


def operation_problems(folder: str | pathlib.Path) -> list[str]:
    """The operations that are not the saver's own, as sentences."""
    called = {name for graph in _graphs(folder) for name in _called_by_functions(graph)}
    return [
        f"{pathlib.Path(folder).name}: its graph holds the operation {operation}"
        f"{f' in {function}' if function else ''}, which touches files or runs code."
        for function, operation in host_operations(folder)
        if operation not in SAVER or not _SAVER_FUNCTION.fullmatch(function) or function in called
    ]


def _graphs(folder: str | pathlib.Path) -> list[Any]:
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    file = pathlib.Path(folder) / "saved_model.pb"
    saved_model = saved_model_pb2.SavedModel()
    try:
        saved_model.ParseFromString(file.read_bytes())
    except FileNotFoundError:
        raise ValueError(f"{folder} is not a SavedModel: it has no saved_model.pb.") from None
    except DecodeError:
        raise ValueError(f"{file} is damaged: it is not a SavedModel.") from None
    if not saved_model.meta_graphs:
        raise ValueError(f"{file} is damaged: it holds no graph.")
    return [meta_graph.graph_def for meta_graph in saved_model.meta_graphs]


def _functions(graph: Any) -> Iterator[tuple[str, Iterable[Any]]]:
    yield "", graph.node
    for function in graph.library.function:
        yield function.signature.name, function.node_def


def _called_by_functions(graph: Any) -> Iterator[str]:
    """Names of the functions that other functions call; nothing in a graph calls the saver's."""
    for function in graph.library.function:
        for node in function.node_def:
            for value in node.attr.values():
                yield value.func.name
                yield from (each.name for each in value.list.func)
