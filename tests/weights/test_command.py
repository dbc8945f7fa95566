"""python -m keras_mlp.weights."""

import pytest

from keras_mlp import presets
from keras_mlp.weights.__main__ import main


def test_presets_are_a_table(capsys):
    main(["--architecture", "GMLP"])
    lines = capsys.readouterr().out.splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    (preset,) = presets("GMLP")
    assert cells[0][:3] == ["name", "architecture", "variant"] and len(lines) == 3
    assert cells[2][:4] == [preset.name, "GMLP", preset.variant, str(preset.image_size)]
    assert len({len(line) for line in lines}) == 1


def test_all_presets_are_listed(capsys):
    main([])
    assert len(capsys.readouterr().out.splitlines()) == len(presets()) + 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--architecture", "GMLP", "--variant", "X"], "`variant` is 'X'"),
        (["--pattern", "none*"], "`--pattern` 'none*' matches no preset."),
        (["--variant", "Z/9"], "`--pattern` '*' with `--variant` 'Z/9' matches no preset."),
    ],
)
def test_errors_are_one_line(words, message, capsys):
    with pytest.raises(SystemExit):
        main(words)
    assert message in capsys.readouterr().err
