"""What programs print for people."""

from training.engine.progress import ProgressBar
from training.reports.printed import result_lines, starting_line, text_table


def test_columns_are_aligned_and_long_cells_cut():
    text = text_table(("class", "images"), [("a" * 50, "7"), ("b", "12,345")], numbers=(1,))
    lines = text.splitlines()
    assert {len(line) for line in lines} == {48} and lines[1].startswith("a" * 39 + "…")
    assert lines[0].endswith("  images") and lines[1].endswith("       7")


def test_the_first_line_says_what_starts():
    model = {"architecture": "MLPMixer", "variant": "pico/2"}
    line = starting_line(model, 12345, "digits", (1293, 144, 360, 10), "2 CPU cores")
    assert line == (
        "MLPMixer pico/2, 12,345 parameters, on digits: 1,293 training, 144 validation, "
        "360 test images, 10 classes; 2 CPU cores"
    )


def test_only_results_that_are_there_are_named(tmp_path):
    (tmp_path / "report.html").touch()
    (tmp_path / "saved_model").mkdir()
    words = [line.split() for line in result_lines(tmp_path).splitlines()]
    assert words == [
        ["report", str(tmp_path / "report.html")],
        ["SavedModel", str(tmp_path / "saved_model")],
    ]


def test_the_bar_shows_validation_once_it_is_known(capsys):
    bar = ProgressBar(0, 10, 4)
    bar.bar.mininterval = 0
    bar.show(1, 0.5, 0.25)
    assert "val_loss" not in bar.bar.postfix
    bar.show_validation({"loss": 0.75, "accuracy": 0.125})
    bar.show(2, 0.5, 0.25)
    bar.close()
    assert bar.bar.postfix == "loss=0.500, accuracy=0.250, val_loss=0.750, val_accuracy=0.125"
