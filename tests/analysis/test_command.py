"""The command prints tables, and reports an error in one line."""

import re

import pytest

from keras_mlp import MLPMixer
from keras_mlp.analysis import __main__ as command
from keras_mlp.analysis import cost_of_variant, side_by_side
from keras_mlp.analysis.markdown import markdown_table


def printed(capsys, *arguments):
    command.main(list(arguments))
    return capsys.readouterr().out


def names(text):
    return [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")][2:]


def test_one_size_at_several_image_sizes(capsys):
    arguments = ("--architecture", "MLPMixer", "--variant", "pico/4", "--sides", "28,28x56")
    text = printed(capsys, *arguments)
    assert "| MLPMixer pico/4 |" in text
    assert re.findall(r"^\| (\d+ x \d+) ", text, re.MULTILINE) == ["28 x 28", "28 x 56"]


def test_all_sizes_of_an_architecture(capsys, monkeypatch):
    small = {name: MLPMixer.variants[name] for name in ("pico/4", "pico/2")}
    monkeypatch.setattr(MLPMixer, "variants", small)
    text = printed(capsys, "--architecture", "MLPMixer")
    assert names(text) == ["MLPMixer pico/4", "MLPMixer pico/2"]


def test_all_published_sizes_without_arguments(capsys, monkeypatch):
    chosen = [cost_of_variant("ViT", "pico/2"), cost_of_variant("ResMLP", "pico/2")]
    monkeypatch.setattr(command, "published_costs", lambda: iter(chosen))
    assert printed(capsys) == side_by_side(chosen) + "\n"


def test_both_forms_of_repmlpnet(capsys):
    text = printed(capsys, "--architecture", "RepMLPNet", "--variant", "pico/2", "--sides", "8")
    assert names(text)[:2] == ["RepMLPNet pico/2", "RepMLPNet pico/2 deployed"]


def test_the_side_by_side_holds_the_figures():
    counted = cost_of_variant("MLPMixer", "pico/2")
    cells = [cell.strip() for cell in side_by_side([counted]).splitlines()[2].split("|")[1:-1]]
    assert cells[:4] == ["MLPMixer pico/2", "8 x 8", "16", "0.20"]
    share = counted.parts["token_mixing"].macs / counted.macs
    assert cells[6] == f"{100 * share:.0f}%" and cells[8] == f"{counted.macs / 203_624:.0f}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--variant", "S/16"], "`--variant` and `--sides` need `--architecture`"),
        (["--architecture", "MLPMixer", "--sides", "224"], "`--sides` needs `--variant`"),
        (["--architecture", "Mixer"], "`--architecture` is 'Mixer'. Did you mean 'MLPMixer'"),
        (["--architecture", "ViT", "--variant", "B16"], "`variant` is 'B16'. Did you mean 'B/16'"),
        (
            ["--architecture", "ViT", "--variant", "pico/2", "--sides", "8,a"],
            "`--sides` must be like 224,448 or 224x448, got '8,a'",
        ),
        (["--architecture", "ViT", "--variant", "pico/2", "--sides", "9"], "not divisible"),
    ],
)
def test_refuses_in_one_line(capsys, arguments, message):
    with pytest.raises(SystemExit) as exit:
        command.main(arguments)
    assert exit.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_a_table_lines_up():
    lines = markdown_table(["a", "long name"], [["b", 1], ["ccc", 22]]).splitlines()
    assert {len(line) for line in lines} == {len("| ccc | long name |")}
    assert lines[1] == "|:----|----------:|"
