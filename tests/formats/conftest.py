"""Skips tests that need more than this package's own environment, unless they are selected.

`make test-formats` selects them by `-m formats`; anything missing is then a failure.
"""

import importlib.util
import os
import pathlib
import shutil

import pytest

from keras_mlp.formats.tfjs import CONVERTER

LIBRARIES = ("tf2onnx", "onnxruntime", "ai_edge_litert", "openvino", "nncf", "litserve", "locust")


def missing_parts():
    missing = [name for name in LIBRARIES if importlib.util.find_spec(name) is None]
    missing += [program for program in (CONVERTER, "node") if shutil.which(program) is None]
    modules = pathlib.Path(os.environ.get("NODE_PATH", "node_modules"))
    return missing + ([] if (modules / "@tensorflow/tfjs").is_dir() else ["@tensorflow/tfjs"])


@pytest.fixture(autouse=True)
def everything_is_there(request):
    if request.node.get_closest_marker("formats") is None:
        return
    missing = missing_parts()
    if missing and request.config.option.markexpr != "formats":
        pytest.skip(f"make test-formats installs {', '.join(missing)}")
    assert not missing
