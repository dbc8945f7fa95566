"""docs/performance.md is what is stored, and shows who is faster."""

import json

import pytest

from documentation import performance
from documentation.performance_tables import processor_sections, read_stored
from keras_mlp.json_files import write_json


def result(*milliseconds, share=1.0):
    samples = [
        {"milliseconds": each, "calls": 1, "cpu_share": share, "cpu_milliseconds": each}
        for each in milliseconds
    ]
    return {"description": "a toy", "difference": 0.0, "samples": samples}


def run(contenders, **more):
    about = {"architecture": "MLPMixer", "variant": "S/16", "batch": 8, "threads": 1}
    return {**about, "contenders": contenders, "missing": {}, "failed": {}, **more}


def facts(**more):
    return {
        "date": "2026-11-27",
        "cpu": "AMD EPYC",
        "cpu family": "26, model 2",
        "cpu features": "avx2 avx512_bf16",
        "cpus": 2,
        "commit": "abc",
        "python": "3.11.7",
        "versions": "torch 1",
        "command": "python -m benchmarks",
        **more,
    }


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A copy of the page, without results."""
    text = performance.PAGE.read_text(encoding="utf-8")
    monkeypatch.setattr(performance, "PAGE", tmp_path / "performance.md")
    monkeypatch.setattr(performance, "RESULTS", tmp_path / "results")
    performance.RESULTS.mkdir()
    performance.PAGE.write_text(text, encoding="utf-8")
    return tmp_path


def store(site, name, runs, program="benchmarks.inference", **more):
    tree = {"program": program, "facts": facts(**more), "runs": runs}
    write_json(site / "results" / f"{name}.json", tree)


def test_the_page_is_up_to_date():
    again = "run python -m documentation.performance"
    assert performance.PAGE.read_text(encoding="utf-8") == performance.made_page(), again


def test_stored_runs_give_ratios_paired_by_round(site, capsys):
    # The second round was slow for all; ratios of medians would be 1.25 and 0.83.
    contenders = {
        "ours": result(8.0, 40.0, 10.0),
        "timm_eager": result(12.0, 40.0, 12.5),
        "timm_compile": result(6.0, 20.0, 8.0),
        "ours_bf16": result(5.0, 20.0, 5.0),
        "timm_eager_bf16": result(5.1, 20.2, 5.0),
    }
    store(site, "zen", [run(contenders), run({"ours": result(1.0)}, batch=1)])
    performance.main([])
    page = performance.PAGE.read_text(encoding="utf-8")
    row = "| MLPMixer S/16, batch 8, 1 thread | {} |"
    assert (
        row.format(
            "float32 | `ours` | `timm_compile` | 0.75 (0.50 to 0.80) | **timm is faster** "
            "| `timm_compile` | 1.33 (1.25 to 2.00)"
        )
        in page
    )
    assert (
        row.format(
            "bfloat16 | `ours_bf16` | `timm_eager_bf16` | 1.01 (1.00 to 1.02) | a tie "
            "| `ours_bf16` | "
        )
        in page
    )
    assert "precision: **timm is faster** in 1, a tie in 1, out of 2 rows." in page
    assert "| `ours` | a toy | 10 | 1.25 (1.00 to 1.50) | **1** |  |" in page
    assert "![Inference: speed over timm_eager](performance_zen.svg)" in page
    assert (site / "performance_zen.svg").read_text().startswith("<svg")
    assert "performance_zen.svg" in capsys.readouterr().out
    assert performance.made_page() == page


def test_unlike_processors_stand_side_by_side(site):
    contenders = {"ours": result(10.0), "timm_eager": result(20.0)}
    amx = {"cpu": "Intel Xeon", "cpu family": "6, model 143", "cpu features": "avx2 amx_bf16"}
    store(site, "a", [run(contenders)])
    store(site, "b", [run(contenders)], **amx)
    store(site, "c", [run(contenders)], program="benchmarks.training_cpu")
    write_json(site / "results" / "other.json", {"program": "training.compare"})
    zen, xeon = processor_sections(read_stored(site / "results")).split("## Intel Xeon, ")
    assert "### Inference" in zen and "### Training" in zen and "a.json" in zen and "c.json" in zen
    assert "### Inference" in xeon and "### Training" not in xeon and "b.json" in xeon
    assert "| `ours` | a toy | **800** | 2.00 (2.00 to 2.00) |" in zen  # images per second


def test_skipped_contenders_and_busy_machines_are_named(site):
    lacks = {"missing": {"onnx": ["onnxruntime"]}, "failed": {"openvino": "no such operation"}}
    busy = run({"ours": result(10.0, share=0.5)}, batch=1, **lacks)
    store(site, "a", [run({"ours": result(10.0)}, missing=lacks["missing"]), busy])
    text = processor_sections(read_stored(site / "results"))
    assert "- `onnx` (missing onnxruntime): all of them" in text
    assert "- `openvino` (failed, no such operation): MLPMixer S/16, batch 1, 1 thread" in text
    assert "used the CPU: MLPMixer S/16, batch 1, 1 thread, **do not quote** its figures." in text
    assert "timm was not measured here." in text and ".svg" not in text


def test_rounds_in_which_another_job_ran_do_not_count(site):
    contenders = {"ours": result(10.0, 10.0), "timm_eager": result(12.0, 90.0)}
    contenders["timm_eager"]["samples"][1]["cpu_share"] = 0.6
    store(site, "a", [run(contenders)])
    text = processor_sections(read_stored(site / "results"))
    assert "used the CPU: MLPMixer S/16, batch 8, 1 thread, 1 of 2 rounds are left out." in text
    assert "| `timm_eager` | 1.20 (1.20 to 1.20) | keras_mlp is faster |" in text
    contenders["ours"]["samples"][0]["cpu_share"] = 0.6
    store(site, "a", [run(contenders)])
    text = processor_sections(read_stored(site / "results"))
    assert "| `timm_eager` | 5.10 (1.20 to 9.00) | not quotable |" in text


def test_a_damaged_file_is_named(site, capsys):
    (site / "results" / "a.json").write_text(json.dumps({"program": "benchmarks.inference"})[:-1])
    before = performance.PAGE.read_text(encoding="utf-8")
    with pytest.raises(SystemExit):
        performance.main([])
    assert "a.json is damaged" in capsys.readouterr().err
    assert performance.PAGE.read_text(encoding="utf-8") == before
