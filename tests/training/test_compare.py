"""Several architectures on one budget."""

import json
import os
import pathlib
import subprocess
import sys
import time

import pytest

from tests.training.blank_pictures import blank_pictures
from training import compare as program
from training.compare import single_run
from training.config import Comparison, Model, load_config
from training.engine.interruption import RESUMABLE, Interrupted

PAGE = "training/configs/compare_digits.py"


@pytest.fixture(scope="module")
def comparison(data_dir, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "compare"
    overrides = {
        "epochs": 1,
        "architectures": "('MLPMixer', 'GMLP')",
        "repeats": 2,
        "demands.GMLP": "{'attention_dim': 4}",
        "data.data_dir": data_dir,
        "model.arguments.num_layers": 1,
        "runtime.export": False,
    }
    arguments = ["--config", PAGE, "--workdir", str(workdir)]
    for key, value in overrides.items():
        arguments += ["--set", f"{key}={value}"]
    with blank_pictures():
        program.main(arguments)
    return workdir, arguments


def test_every_run_is_kept(comparison):
    for name in ("MLPMixer", "GMLP"):
        for seed in (0, 1):
            metrics = json.loads((comparison[0] / name / f"seed{seed}/metrics.json").read_text())
            config = metrics["config"]
            assert config["model"]["architecture"] == name
            assert config["runtime"]["seed"] == seed
            assert ("attention_dim" in config["model"]["arguments"]) == (name == "GMLP")


def test_the_table_holds_the_mean_of_the_seeds(comparison):
    files = comparison[0].glob("MLPMixer/*/metrics.json")
    accuracy = [json.loads(file.read_text())["test"]["accuracy"] for file in files]
    table = (comparison[0] / "table.md").read_text().splitlines()
    assert [line.split(" | ")[0] for line in table[2:]] == ["| MLPMixer", "| GMLP"]
    for figure in (sum(accuracy) / 2, min(accuracy), max(accuracy)):
        assert f"{figure:.2%}" in table[2]


def test_the_results_file_gives_the_same_table_without_training(comparison, capsys):
    file = comparison[0] / "results.json"
    stored = json.loads(file.read_text())
    assert [(run["architecture"], run["seed"]) for run in stored["runs"]] == [
        (name, seed) for name in ("MLPMixer", "GMLP") for seed in (0, 1)
    ]
    for run in stored["runs"]:
        metrics = comparison[0] / run["architecture"] / f"seed{run['seed']}/metrics.json"
        assert run["test"] == json.loads(metrics.read_text())["test"]
        assert run["images_seen"] == run["steps"] * 64 > 0
    program.main(["--from", str(file), "docs/results/cifar10_flagship_h200.json"])
    printed = capsys.readouterr().out
    assert (comparison[0] / "table.md").read_text() in printed
    assert "4 run(s); " in printed and "core(s); tensorflow " in printed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("training.compare", "training.other"), "names no results"),
        (lambda text: text.replace('"accuracy"', '"precision"'), "damaged: KeyError"),
        (lambda text: text[:-9], "damaged: JSONDecodeError"),
    ],
)
def test_a_wrong_results_file_is_named(comparison, tmp_path, change, message):
    (tmp_path / "r.json").write_text(change((comparison[0] / "results.json").read_text()))
    with pytest.raises(SystemExit, match=message):
        program.main(["--from", str(tmp_path / "r.json")])


@pytest.mark.sweep
def test_runs_in_processes_of_their_own_have_equal_minutes_and_one_core(data_dir, tmp_path, capsys):
    folder = tmp_path / "compare"
    arguments = ["--config", PAGE, "--workdir", str(folder), "--seeds", "3", "--minutes", "0.01"]
    for override in (
        "architectures=('MLPMixer', 'examples.comparators:plain_mlp')",
        f"data.data_dir={data_dir}",
        "model.arguments.num_layers=1",
        "runtime.export=False",
    ):
        arguments += ["--set", override]
    jobs = min(2, len(os.sched_getaffinity(0)))
    program.main([*arguments, "--jobs", str(jobs)])
    assert "| examples.comparators:plain_mlp |" in capsys.readouterr().out
    for name in ("MLPMixer", "examples.comparators.plain_mlp"):
        pace = json.loads((folder / name / "pace.json").read_text())
        metrics = json.loads((folder / name / "seed3" / "metrics.json").read_text())
        assert metrics["steps"] == round(0.6 / pace["seconds_per_step"])
        assert metrics["hardware"]["cores"] == 1
        assert pathlib.Path(folder / name / "seed3.log").exists()
    before = (folder / "table.md").read_text()
    program.main(arguments)  # continues in this process, and has nothing left to do
    assert capsys.readouterr().out.count("holds this run, finished") == 2
    assert (folder / "table.md").read_text() == before


@pytest.mark.slow
def test_a_run_that_fails_in_a_process_of_its_own_is_named(data_dir, tmp_path):
    arguments = ["--config", PAGE, "--workdir", str(tmp_path / "compare"), "--jobs", "1"]
    for override in (
        "architectures=('MLPMixer',)",
        f"data.data_dir={data_dir}",
        "data.num_classes=11",
    ):
        arguments += ["--set", override]
    with pytest.raises(SystemExit, match=r"MLPMixer/seed0: `data\.num_classes` is 11.*seed0\.log"):
        program.main(arguments)


@pytest.mark.slow
@pytest.mark.sweep
def test_asked_to_end_the_processes_save_first(data_dir, tmp_path):
    folder = tmp_path / "compare"
    line = [sys.executable, "-m", "training.compare", "--config", PAGE, "--workdir", str(folder)]
    line += ["--jobs", "1", "--set", "epochs=2000", "--set", f"data.data_dir={data_dir}"]
    line += ["--set", "architectures=('MLPMixer',)", "--set", "runtime.epochs_per_checkpoint=1"]
    with open(tmp_path / "log", "w", encoding="utf-8") as log:
        process = subprocess.Popen(line, stdout=log, stderr=log)
    run = folder / "MLPMixer" / "seed0"
    deadline = time.monotonic() + 300
    while not (run / "checkpoints" / "checkpoint").exists() and time.monotonic() < deadline:
        assert process.poll() is None, (tmp_path / "log").read_text()[-2000:]
        time.sleep(0.2)
    process.terminate()
    assert process.wait(120) == RESUMABLE
    assert "the same command continues" in (tmp_path / "log").read_text()
    # The child has ended before its parent, and has saved.
    assert (run.parent / "seed0.log").read_text().strip().endswith("continues from it.")
    assert not (run / "metrics.json").exists()


def test_what_is_done_is_not_done_again(comparison, capsys):
    program.main(comparison[1])
    assert capsys.readouterr().out.count("holds this run, finished") == 4


def test_asked_to_end_it_says_that_the_same_command_continues(tmp_path, monkeypatch, capsys):
    def interrupted(configs, workdirs):
        raise Interrupted

    monkeypatch.setattr(program, "train_seeds", interrupted)
    with pytest.raises(SystemExit) as exit:
        program.main(["--config", PAGE, "--workdir", str(tmp_path / "compare")])
    assert exit.value.code == RESUMABLE and "continues" in capsys.readouterr().out


def test_seeds_and_models_can_be_added_but_not_left_out(tmp_path, monkeypatch):
    def interrupted(configs, workdirs):
        raise Interrupted

    def compare(architectures, seeds):
        names = f"architectures={architectures}"
        arguments = ["--config", PAGE, "--workdir", str(tmp_path), "--set", names]
        with pytest.raises(SystemExit) as exit:
            program.main([*arguments, "--seeds", *map(str, seeds)])
        return exit.value.code

    monkeypatch.setattr(program, "train_seeds", interrupted)
    assert compare(["GMLP"], [0]) == RESUMABLE
    (tmp_path / "GMLP" / "seed0").mkdir(parents=True)
    (tmp_path / "GMLP" / "seed0" / "history.jsonl").write_text("{}\n")  # it has trained
    assert compare(["GMLP", "ResMLP"], [0, 1]) == RESUMABLE
    for architectures, seeds in ((["GMLP"], [0, 1]), (["GMLP", "ResMLP"], [1])):
        assert "holds a run of another config" in str(compare(architectures, seeds))


def test_one_architecture_does_not_change_the_arguments_of_another():
    page = Comparison(model=Model(arguments={"num_layers": 1}), demands={"ViT": {"num_heads": 2}})
    assert single_run(page, "ViT", 3).model.arguments == {"num_layers": 1, "num_heads": 2}
    assert single_run(page, "GMLP", 3).model.arguments == {"num_layers": 1}
    assert page.model.arguments == {"num_layers": 1} and page.runtime.seed == 0


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("architectures=('MLPMixr',)", "`architectures` is 'MLPMixr'.*'MLPMixer'"),
        ("demands.GMPL={}", "`demands` is 'GMPL'.*'GMLP'"),
        (
            "demands.GMLP={'attention': 4}",
            "no argument 'attention'. Did you mean 'attention_",
        ),
        (
            "architectures=('examples.comparators:plain',)",
            "'examples.comparators:plain' cannot be imported",
        ),
        ("model.permute_patches=3", "`model.permute_patches`=3 must divide the image, 8 x 8"),
        ("repeats=0", "`repeats` must be a positive integer, got 0"),
    ],
)
def test_a_wrong_page_fails_before_any_training(tmp_path, override, message):
    with pytest.raises((SystemExit, ValueError), match=message):
        program.main(["--config", PAGE, "--workdir", str(tmp_path / "x"), "--set", override])
    assert not (tmp_path / "x").exists()


def test_a_comparison_is_no_page_of_a_single_run():
    with pytest.raises(ValueError, match=r"training\.config\.Config"):
        load_config(PAGE)
