"""Several architectures on one budget."""

import json

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
