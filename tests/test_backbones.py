"""Our models without top are backbones for the classifiers of the Keras libraries."""

import importlib.util
import json
import math
import pathlib
import subprocess
import sys

import pytest

from tests.test_contract import ROWS

ROOT = pathlib.Path(__file__).parent.parent


@pytest.mark.sweep
@pytest.mark.skipif(not importlib.util.find_spec("keras_cv"), reason="keras_cv is not installed")
def test_keras_cv_trains_and_saves_a_classifier_on_each(tmp_path):
    finished = subprocess.run(
        [sys.executable, "-m", "tests.run_keras_cv", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert finished.returncode == 0, finished.stderr
    results = json.loads(finished.stdout.strip().rpartition("\n")[-1])
    assert results.keys() == ROWS.keys()
    for name, result in results.items():
        assert result["backbone"] == name
        assert math.isfinite(result["loss"])
        assert result["moved"], name
        assert result["difference"] == 0.0, name
