"""The benchmark's method, with toy contenders in real processes, without PyTorch and timm."""

import argparse
import dataclasses
import json
import math
import os
import sys

import keras
import numpy as np
import pytest

from benchmarks import contest, inference, report, training_cpu
from benchmarks.agreement import Disagreement, check_agreement
from benchmarks.contenders import INFERENCE, TRAINING, Contender
from benchmarks.report import markdown
from benchmarks.rounds import Sample, run_in_turn, summarise, time_calls
from benchmarks.task import write_task
from benchmarks.worker_process import WorkerFailed, WorkerProcess, missing_libraries
from keras_mlp import ARCHITECTURES, load_checkpoint
from keras_mlp.json_files import write_json
from tests.toy_contenders import allowed_cpus, broken, chatter, doubled_picture_sums, picture_sums


def toy(function, name=None, libraries=("numpy",)):
    factory = f"{function.__module__}:{function.__name__}"
    return Contender(name or function.__name__, "a toy", factory, libraries)


def options(**overrides):
    defaults = {"architecture": "MLPMixer", "variant": "pico/2", "batch": 2, "rounds": 2}
    interpreters = ("timm_python", "openvino_python", "onnx_python", "peers_python")
    pythons = dict.fromkeys(interpreters, sys.executable)
    return argparse.Namespace(**{**defaults, **pythons, "seconds": 0.001, **overrides})


@pytest.fixture(scope="module")
def cpu():
    return max(os.sched_getaffinity(0))


@pytest.fixture(scope="module")
def task(tmp_path_factory, cpu):
    folder = tmp_path_factory.mktemp("task")
    return write_task(folder, "MLPMixer", "pico/2", batch_size=2, cpus=[cpu])


def samples(*milliseconds):
    return [Sample(value, calls=1, cpu_share=1.0) for value in milliseconds]


def test_contenders_run_in_turn():
    order = []
    samplers = {name: (lambda name=name: order.append(name)) for name in "abc"}
    assert set(run_in_turn(samplers, rounds=2)) == {"a", "b", "c"}
    assert order == list("abcabc")


def test_ratios_are_paired_by_round():
    # The second round was slow for both; paired, this hardly changes a ratio.
    times = {"base": samples(10, 40, 12), "ours": samples(5, 25, 8)}
    ours = summarise(times, "base")["ours"]
    assert (ours.median, ours.best) == (8, 5)
    assert (ours.ratio, ours.lowest, ours.highest) == (1.6, 1.5, 2.0)


def test_without_the_baseline_there_are_no_ratios():
    assert summarise({"ours": samples(5)}, "base")["ours"].ratio is None


def test_a_sample_leaves_its_first_call_out_and_lasts_long_enough():
    calls = []
    sample = time_calls(lambda: calls.append(sum(range(10_000))), seconds=0.02, threads=1)
    assert len(calls) == sample.calls + 1
    assert sample.calls > 1
    assert 0 < sample.milliseconds < 20


def test_disagreement_is_an_error():
    good, bad = [[1.0, 2.0]], [[1.0, 2.001]]
    assert check_agreement({"a": good, "b": bad}, 1e-3)["b"] == pytest.approx(5e-4)
    with pytest.raises(Disagreement, match=r"b differs from a by 5.0e-04"):
        check_agreement({"a": good, "b": bad}, 1e-4)
    with pytest.raises(Disagreement, match=r"b differs"):
        check_agreement({"a": good, "b": [[1.0, math.nan]]}, 1e-4)
    with pytest.raises(Disagreement, match=r"b gives \(1,\)"):
        check_agreement({"a": good, "b": [1.0]}, 1e-4)


def test_the_weights_are_a_checkpoint_of_the_model(task):
    model = ARCHITECTURES["MLPMixer"].from_variant("pico/2", include_preprocessing=False)
    assert load_checkpoint(model, task.weights) == "timm"
    assert task.timm["function"].startswith("timm.")
    assert all(np.std(weight) > 0 for weight in model.weights)
    stored = keras.models.load_model(task.model, compile=False)
    for ours, theirs in zip(stored.weights, model.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_is_a_task(architecture, tmp_path, cpu):
    task = write_task(tmp_path, architecture, "pico/2", batch_size=3, cpus=[cpu])
    model = keras.models.load_model(task.model, compile=False)
    outputs = np.asarray(model(np.load(task.images), training=False))
    assert len(outputs) == 3 and np.all(np.isfinite(outputs)) and np.std(outputs) > 1e-3
    has_timm = architecture in ("MLPMixer", "ResMLP", "GMLP", "ViT", "ConvMixer")
    assert (task.timm is not None) == (task.weights is not None) == has_timm


def test_a_worker_is_pinned_and_may_print(task, cpu):
    with WorkerProcess(toy(allowed_cpus), task, sys.executable, seconds=0.001) as worker:
        assert worker.output == [cpu]
    with WorkerProcess(toy(chatter), task, sys.executable, seconds=0.001) as worker:
        np.testing.assert_allclose(worker.output, picture_sums({"images": task.images})())
        assert worker.sample().calls >= 1


def test_a_failing_worker_says_why(task):
    with pytest.raises(WorkerFailed, match=r"(?s)broken ended early.*no such kernel"):
        WorkerProcess(toy(broken), task, sys.executable, seconds=0.001)


def test_a_run_reports_every_contender(tmp_path, cpu):
    contenders = [
        toy(picture_sums),
        toy(picture_sums, "timm_eager"),
        toy(picture_sums, "absent", ("numpy", "no_such_library")),
    ]
    run = inference.measure(contenders, options(), [cpu], {"date": "today"}, tmp_path)
    assert run["missing"] == {"absent": ["no_such_library"]}
    assert run["contenders"]["timm_eager"]["summary"].ratio == 1
    text = markdown(run)
    assert "- date: today" in text
    assert "| absent | missing: no_such_library |" in text
    assert "| picture_sums | a toy |" in text

    (tmp_path / "stored").mkdir()
    write_json(tmp_path / "stored" / "run.json", run)
    stored = json.loads((tmp_path / "stored" / "run.json").read_text())
    assert len(stored["contenders"]["picture_sums"]["samples"]) == 2
    assert [path.name for path in (tmp_path / "stored").iterdir()] == ["run.json"]


@pytest.mark.parametrize(
    ("name", "share", "threads", "quotable"),
    [
        ("ours", 0.99, 1, True),
        ("ours", 0.5, 1, False),
        ("ours", 0.5, 2, True),  # its threads sleep while they wait for each other
        ("timm_eager", 0.5, 2, False),  # these do not
    ],
)
def test_a_run_on_a_busy_machine_says_so(name, share, threads, quotable):
    contenders = {}
    for each in ("ours", "timm_eager"):
        shares = (1.0, share if each == name else 1.0)
        samples = [Sample(5.0, calls=1, cpu_share=found) for found in shares]
        summary = summarise({each: samples}, each)[each]
        contenders[each] = {
            "description": "a toy",
            "difference": 0.0,
            "samples": samples,
            "summary": summary,
        }
    run = {"facts": {}, "baseline": "timm_eager", "contenders": contenders, "missing": {}}
    assert ("Not quotable" not in markdown({**run, "threads": threads})) == quotable
    only = {**run, "contenders": {"ours": contenders["ours"]}, "threads": threads}
    assert ("Not quotable" not in markdown(only)) == (name != "ours" or share > 0.9)


def test_a_run_of_contenders_that_disagree_is_not_timed(tmp_path, cpu):
    contenders = [toy(picture_sums), toy(doubled_picture_sums)]
    with pytest.raises(Disagreement, match="doubled_picture_sums differs from picture_sums"):
        inference.measure(contenders, options(), [cpu], {}, tmp_path)


def test_a_network_that_timm_lacks_is_reported(tmp_path, cpu):
    contenders = [toy(picture_sums), toy(picture_sums, "of_timm", ("timm", "numpy"))]
    only = options(architecture="FFOnly", rounds=1)
    run = inference.measure(contenders, only, [cpu], {}, tmp_path)
    assert run["missing"] == {"of_timm": ["timm has no such network"]}
    assert set(run["contenders"]) == {"picture_sums"}


def test_a_network_that_a_library_lacks_is_reported(tmp_path, cpu):
    of_others = dataclasses.replace(toy(picture_sums, "of_others"), architectures=("ViT",))
    only = options(architecture="FFOnly", rounds=1)
    run = inference.measure([toy(picture_sums), of_others], only, [cpu], {}, tmp_path)
    (reason,) = run["missing"]["of_others"]
    assert reason.endswith(" has no such network") and set(run["contenders"]) == {"picture_sums"}


@pytest.mark.parametrize("features", [["avx2"], ["avx2", "amx_bf16"]])
def test_bfloat16_runs_where_the_processor_has_it(features, task, monkeypatch):
    monkeypatch.setattr(report, "cpu_features", lambda: features)
    lack = contest.lack(INFERENCE["openvino_bf16"], task)
    assert lack == (None if "amx_bf16" in features else "bfloat16 in the processor")
    assert report.machine_facts()["cpu features"] == " ".join(features)


def test_fewer_bits_may_differ_more():
    outputs = {"ours": [[1.0, 2.0]], "timm_eager": [[1.0, 2.0]], "openvino_int8": [[1.0, 2.2]]}
    inexact = {name for name, each in INFERENCE.items() if each.precision != "float32"}
    found = contest.compare(outputs, inexact, inference.TOLERANCES)
    assert found["openvino_int8"] == pytest.approx(0.1)
    for name, wrong in {"ours": 2.001, "openvino_int8": 3.0}.items():
        with pytest.raises(Disagreement, match=f"{name} differs from timm_eager"):
            bad = outputs | {name: [[1.0, wrong]]}
            contest.compare(bad, inexact, inference.TOLERANCES)


@pytest.mark.sweep
def test_our_forms_agree(tmp_path, cpu):
    names = (
        "ours",
        "ours_nd",
        "ours_bf16",
        "ours_frozen",
        "ours_frozen_bf16",
        "ours_jax",
        "litert",
    )
    contenders = [INFERENCE[name] for name in names]
    run = inference.measure(contenders, options(rounds=1), [cpu], {}, tmp_path)
    assert set(run["contenders"]) == set(names)


@pytest.mark.sweep
def test_a_training_step_is_timed_in_both_precisions(tmp_path, cpu):
    contenders = list(TRAINING.values())
    run = training_cpu.measure(contenders, options(rounds=1), [cpu], {}, tmp_path)
    ours = {"ours", "ours_bf16", "ours_gelu", "ours_gelu_bf16", "ours_jax"}
    assert set(run["contenders"]) == ours
    assert run["missing"]["timm_eager"] == ["torch", "timm", "torchvision"]
    for name in ("ours_bf16", "ours_gelu_bf16"):
        assert 0 < run["contenders"][name]["difference"] < 0.05
    assert "| losses differ by |" in markdown(run)


def test_a_contender_that_cannot_be_built_is_reported(tmp_path, cpu, capsys):
    unwritten = dataclasses.replace(toy(picture_sums, "unwritten"), form="no-format")
    contenders = [toy(picture_sums), toy(broken), unwritten]
    run = inference.measure(contenders, options(rounds=1), [cpu], {}, tmp_path)
    assert set(run["contenders"]) == {"picture_sums"} and not run["missing"]
    assert run["failed"]["broken"] == "RuntimeError: no such kernel"
    assert "no-format" in run["failed"]["unwritten"]
    assert "| broken | failed: RuntimeError: no such kernel |" in markdown(run)
    assert "broken ended early" in capsys.readouterr().err


def test_every_configuration_is_written_when_it_is_done(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(inference.INFERENCE, "toy", toy(picture_sums, "timm_eager"))
    file = tmp_path / "run.json"
    quick = ("--contenders", "toy", "--rounds", "1", "--seconds", "0.001")
    models = ("--architecture", "MLPMixer", "FFOnly", "--variant", "pico/2", "--batch", "2", "3")
    seen = []
    measure = inference.measure

    def watched(*arguments):
        seen.append(len(json.loads(file.read_text())["runs"]) if file.exists() else 0)
        return measure(*arguments)

    monkeypatch.setattr(inference, "measure", watched)
    inference.main([*quick, *models, "--json", str(file)])
    assert seen == [0, 1, 2, 3]
    stored = json.loads(file.read_text())
    assert stored["program"] == "benchmarks.inference"
    assert stored["facts"]["versions"].startswith("numpy ")
    names = [contest.configuration_name(run) for run in stored["runs"]]
    assert names[0] == "MLPMixer pico/2, batch 2, 1 thread" and len(set(names)) == 4
    assert all(name in capsys.readouterr().out for name in names[:1])


def test_a_missing_library_is_found_before_a_file_is_written():
    libraries = ("numpy", "no_such_library")
    assert missing_libraries(sys.executable, libraries) == ["no_such_library"]
    with pytest.raises(WorkerFailed, match="does not run"):
        missing_libraries("false", libraries)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--variant", "S/61"], "Did you mean 'S/16'?"),
        (["--architecture", "Mixer"], "Did you mean 'MLPMixer'?"),
        (["--openvino-python", "no/python"], "`openvino_python` must be an interpreter"),
        (["--onnx-python", "no/python"], "`onnx_python` must be an interpreter"),
        (["--batch", "1", "0"], "`batch` must be a positive integer, got 0"),
        (["--variant", "S/16", "B/16"], "`variant` must be one, or one for each of the 1 arch"),
        (["--contenders", "our"], "Did you mean 'ours'?"),
        (["--rounds", "0"], "`rounds` must be a positive integer, got 0"),
        (["--threads", "9999"], "`threads` must be at most"),
        (["--timm-python", "no/python"], "`timm_python` must be an interpreter"),
        (["--json", "no/folder/out.json"], "`json` must be in an existing folder"),
    ],
)
def test_bad_arguments_end_before_any_work(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        inference.main(arguments)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
