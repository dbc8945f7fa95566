"""Which part of the repository may import which, and where TensorFlow may appear."""

import ast
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PACKAGES = ("keras_mlp", "training", "saved_models", "examples", "benchmarks", "documentation")

# From the bottom up: a part imports from its own row and from the rows above it in this table.
ROWS = (
    (
        "keras_mlp.typing",
        "keras_mlp.errors",
        "keras_mlp.interruption",
        "keras_mlp.stderr_noise",
        "keras_mlp.version",
    ),
    ("keras_mlp.arguments", "keras_mlp.whole_files", "keras_mlp.json_files", "keras_mlp.golden"),
    ("keras_mlp.command_line",),
    ("keras_mlp.layers",),
    ("keras_mlp.models",),
    ("keras_mlp.keras_file",),
    ("keras_mlp.weights",),
    (
        "keras_mlp.new_head",
        "keras_mlp.recalibrate",
        "keras_mlp.depth",
        "keras_mlp.lora",
        "keras_mlp.deploy",
        "keras_mlp.analysis",
        "keras_mlp.export",
        "keras_mlp.formats",
        "keras_mlp.convert",
        "keras_mlp.saved_model_layer",
    ),
    ("keras_mlp",),
    # It imports none of the parts that it runs.
    ("keras_mlp.programs", "keras_mlp.__main__"),
    ("training",),
    ("saved_models",),
    ("examples",),
    ("benchmarks",),
    ("documentation",),
)
RANK = {part: rank for rank, row in enumerate(ROWS) for part in row}

# Importing the library needs nothing else.
LIBRARY_NEEDS = {"keras", "numpy", "safetensors", "keras_mlp"} | sys.stdlib_module_names
TENSORFLOW_IN_FUNCTIONS = (
    "keras_mlp/export/",
    "keras_mlp/formats/",
    "keras_mlp/saved_model_layer.py",
    "keras_mlp/layers/backend.py",
    "keras_mlp/models/replicated_model.py",
)
NEVER = {"tensorflow_hub", "tf_keras"}  # both bring a second Keras
# An interpreter of another environment runs these, to test what its users get.
IN_THE_ENVIRONMENT_OF_TF_HUB = {"tests/clients/run_hub.py", "benchmarks/client_hub.py"}
NAMELESS = {"utils.py", "common.py", "misc.py", "helpers.py"}


def python_files(*folders):
    return sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))


def module_of(file):
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def part_of(module):
    """The entry of the table that a module, or a name in it, belongs to."""
    names = module.split(".")
    part = ".".join(names[:2])
    if part in RANK:
        return part
    path = ROOT / part.replace(".", "/")
    is_file = path.is_dir() or path.with_suffix(".py").exists()
    assert names[0] != "keras_mlp" or not is_file, f"{part} has no row in the table"
    return names[0]  # a public name, or a module of a package that is one part


def imports(tree):
    """Pairs (imported module or name, whether it runs as soon as the file is imported)."""
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            yield name, id(node) not in inside


def imports_of(file):
    return list(imports(ast.parse(file.read_text())))


def test_the_reader_sees_every_kind_of_import():
    source = (
        "import a.b, c\nfrom d.e import f\nclass G:\n  import h\n"
        "def i():\n  import j\nasync def k():\n  from l import m\ntry:\n  import n\nfinally: pass"
    )
    found = dict(imports(ast.parse(source)))
    assert {name for name, at_once in found.items() if at_once} == {"a.b", "c", "d.e.f", "h", "n"}
    assert {name for name, at_once in found.items() if not at_once} == {"j", "l.m"}


@pytest.mark.parametrize("file", python_files(*PACKAGES), ids=module_of)
def test_imports_go_one_way(file):
    own = part_of(module_of(file))
    for name, _ in imports_of(file):
        if name.split(".")[0] in PACKAGES:
            assert RANK[part_of(name)] <= RANK[own], f"{own} must not import {name}"


@pytest.mark.parametrize("file", python_files("keras_mlp"), ids=module_of)
def test_importing_the_library_needs_little(file):
    for name, at_once in imports_of(file):
        root = name.split(".")[0]
        assert not at_once or root in LIBRARY_NEEDS, f"{name} at the top"
        if root == "tensorflow":
            assert file.relative_to(ROOT).as_posix().startswith(TENSORFLOW_IN_FUNCTIONS), name


@pytest.mark.parametrize("file", python_files(*PACKAGES, "tests"), ids=module_of)
def test_no_second_keras_is_imported(file):
    found = {name.split(".")[0] for name, _ in imports_of(file)} & NEVER
    assert not found or file.relative_to(ROOT).as_posix() in IN_THE_ENVIRONMENT_OF_TF_HUB


def test_no_file_is_a_drawer():
    found = [file for file in python_files(*PACKAGES, "tests") if file.name in NAMELESS]
    assert not found
