"""The page that a run writes: complete, valid, escaped and self-contained."""

import base64
import html
import html.parser
import io
import json
import re
import shlex

import matplotlib.figure
import numpy as np
import PIL.Image
import pytest

from training import report as program
from training.evaluate import evaluate_source
from training.report import write_report
from training.reports.evaluation_pictures import draw_confusion
from training.reports.higher_loss import why_training_loss_is_higher
from training.reports.html_page import page, paragraph, picture, table
from training.reports.mistakes import KEPT, Mistakes
from training.reports.pictures import draw_batch, draw_predictions
from training.train import train

VOID = {"meta", "img"}


class Reader(html.parser.HTMLParser):
    """Fails if tags are not closed in order; collects texts, pictures and marked rows."""

    def __init__(self, text):
        super().__init__()
        self.open, self.texts, self.sources, self.tags = [], [], [], set()
        self.marked, self.rows = [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "img":
            self.sources.append(attributes["src"])
            assert attributes["alt"]
        if tag == "tr":
            self.rows.append([])
            self.marked.append(attributes.get("class") == "marked")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1].append(data)

    def marked_keys(self):
        return {row[0] for row, marked in zip(self.rows, self.marked, strict=True) if marked}


@pytest.fixture(scope="module")
def run(data_dir, tmp_path_factory):
    from training.config import Augment, Config, Data, Model, Optimizer, Runtime

    arguments = {"image_shape": (8, 8, 1), "num_layers": 1, "hidden_dim": 16}
    config = Config(
        epochs=2,
        model=Model(variant="pico/2", arguments={**arguments, "channel_mlp_dim": 32}),
        data=Data(name="digits", data_dir=data_dir, batch_size=64),
        augment=Augment(),
        optimizer=Optimizer(learning_rate=5e-3),
        runtime=Runtime(steps_per_loop=5, export=False),
    )
    folder = tmp_path_factory.mktemp("runs") / "small <run>"
    return train(config, folder), folder, config


def rows_below(reader, first):
    """The rows of the table whose header starts with a word."""
    start = next(number for number, row in enumerate(reader.rows) if row[0] == first)
    width = len(reader.rows[start])
    rows = reader.rows[start + 1 :]
    end = next((i for i, row in enumerate(rows) if len(row) != width or row[0] == "class"), None)
    return rows[:end]


def copied(run, to):
    """The files that a report is made from, in another folder."""
    to.mkdir()
    for name in ("metrics.json", "history.jsonl", "evaluation.json", "confusion.png"):
        (to / name).write_bytes((run[1] / name).read_bytes())
    return to


def test_training_leaves_the_page_and_the_evaluation(run):
    metrics, folder, config = run
    evaluation = json.loads((folder / "evaluation.json").read_text())
    assert evaluation["accuracy"] == metrics["test"]["accuracy"]
    assert evaluation["top5_accuracy"] == metrics["test"]["top5_accuracy"]
    assert evaluation["loss"] == pytest.approx(metrics["test"]["loss"], abs=1e-5)
    again = evaluate_source(folder / "model.keras", config)
    assert again["confusion"] == evaluation["confusion"]
    history = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert 0 < history[-1]["validation"]["top5_accuracy"] <= 1
    assert (folder / "report.html").exists()


def test_the_page_says_what_the_run_was(run):
    metrics, folder, _ = run
    reader = Reader((folder / "report.html").read_text())
    text = "\n".join(reader.texts)
    assert "small <run>" in reader.texts
    for value in (
        f"{metrics['test']['accuracy']:.2%} of 360 images",
        f"{metrics['test']['loss']:.4f}",
        f"{metrics['parameters']:,}",
        metrics["command"],
        metrics["hardware"]["cpu"],
        metrics["versions"]["keras"],
    ):
        assert str(value) in text
    assert "No images were held out" not in text
    assert [row[0] for row in rows_below(reader, "class")] == metrics["classes"]


def test_the_pairs_that_are_confused_most_come_first(run, tmp_path):
    folder = copied(run, tmp_path / "pairs")
    evaluation = json.loads((folder / "evaluation.json").read_text())
    confusion = [[0] * 10 for _ in range(10)]
    confusion[3][3], confusion[3][8], confusion[9][7] = 15, 5, 30
    evaluation["confusion"] = confusion
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    reader = Reader(write_report(folder).read_text())
    assert rows_below(reader, "truth") == [["9", "7", "30", "100.0%"], ["3", "8", "5", "25.0%"]]


def test_the_config_marks_what_differs_from_the_defaults(run):
    reader = Reader((run[1] / "report.html").read_text())
    assert reader.marked_keys() == {
        "epochs",
        "model.variant",
        *(f"model.arguments.{key}" for key in run[2].model.arguments),
        "data.data_dir",
        "data.batch_size",
        "optimizer.learning_rate",
        "runtime.steps_per_loop",
        "runtime.export",
    }
    (epochs,) = (row for row in reader.rows if row[0] == "epochs")
    assert epochs == ["epochs", "2", "1"]


def test_the_page_needs_nothing_beside_it(run):
    text = (run[1] / "report.html").read_text()
    reader = Reader(text)
    mistakes = len(json.loads((run[1] / "evaluation.json").read_text())["mistakes"])
    assert mistakes > 0 and len(reader.sources) == mistakes + 5
    assert all(each.startswith("data:") for each in reader.sources)
    assert not reader.tags & {"script", "link", "iframe"}
    assert not re.search(r"\burl\(|@import", text)
    kinds = [re.match(r"data:image/([a-z+]+);base64,(.*)", each) for each in reader.sources]
    starts = [base64.b64decode(kind[2])[:5] for kind in kinds]
    # Mistakes and the confusion matrix come before the curves, the other pictures after them.
    assert [kind[1] for kind in kinds] == [*["png"] * (mistakes + 1), "svg+xml", *["png"] * 3]
    assert starts == [*[b"\x89PNG\r"] * (mistakes + 1), b"<?xml", *[b"\x89PNG\r"] * 3]


def test_a_run_without_validation_and_without_an_evaluation(run, tmp_path):
    folder = copied(run, tmp_path / "bare")
    (folder / "evaluation.json").unlink()
    lines = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    for entry in lines:
        del entry["validation"], entry["train"]["gradient_norm"]
    (folder / "history.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in lines))
    reader = Reader(write_report(folder).read_text())
    text = " ".join(reader.texts)
    assert "No images were held out" in text and "Not evaluated class by class" in text
    assert len(reader.sources) == 1
    (folder / "history.jsonl").unlink()
    assert Reader(write_report(folder).read_text()).sources == []


def test_pictures_of_the_run_are_taken_in(run, tmp_path):
    folder = copied(run, tmp_path / "more")
    before = Reader(write_report(folder).read_text()).sources
    for name in ("first_batch.png", "predictions.png"):
        matplotlib.figure.Figure(figsize=(1, 1)).savefig(folder / name)
    assert len(Reader(write_report(folder).read_text()).sources) == len(before) + 2


def test_of_many_classes_those_with_the_lowest_recall_are_listed(run, tmp_path):
    folder = copied(run, tmp_path / "many")
    evaluation = json.loads((folder / "evaluation.json").read_text())
    evaluation["classes"] = [f"class {i}" for i in range(60)]
    evaluation["per_class"] = [
        {"precision": 0.5, "recall": (60 - i) / 60 if i else None, "count": 7} for i in range(60)
    ]
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    reader = Reader(write_report(folder).read_text())
    listed = [row[0] for row in rows_below(reader, "class")]
    assert listed == [f"class {i}" for i in range(59, 9, -1)]


def test_the_most_confident_mistakes_come_first_with_picture_and_names(run, tmp_path):
    folder = copied(run, tmp_path / "mistakes")
    evaluation = json.loads((folder / "evaluation.json").read_text())
    certain = [each["confidence"] for each in evaluation["mistakes"]]
    assert certain == sorted(certain, reverse=True) and len(certain) <= KEPT
    png = evaluation["mistakes"][0]["png"]
    evaluation["classes"][3], evaluation["classes"][8] = "<b>three</b>", "a $8$"
    evaluation["mistakes"] = [
        {"truth": 3, "guess": 8, "confidence": 0.987, "png": png},
        {"truth": 1, "guess": 7, "confidence": 0.5, "png": ""},
    ]
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    text = write_report(folder).read_text()
    reader = Reader(text)
    start = reader.texts.index("Most confident mistakes")
    shown = [each for each in reader.texts[start:] if each.strip()]
    assert shown[2:5] == ["taken for a $8$", "is <b>three</b>", "98.7% certain"]
    assert shown[5:8] == ["taken for 7", "is 1", "50.0% certain"]
    assert reader.sources[0] == f"data:image/png;base64,{png}"
    assert start < reader.texts.index("Classes") < reader.texts.index("Learning curves")


def test_the_command_is_there_to_copy(run):
    metrics, folder, _ = run
    assert shlex.split(metrics["command"])[0].startswith("python")
    assert f"<pre>{html.escape(metrics['command'])}</pre>" in (folder / "report.html").read_text()


def test_pages_adapt_to_dark_screens_and_to_telephones(run):
    text = (run[1] / "report.html").read_text()
    assert "@media (prefers-color-scheme: dark)" in text and "@media (max-width:" in text
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in text
    assert not re.search(r"#[0-9a-f]{3,6}\b", text.split("</style>")[0].split("* { box")[1])


LOSSES = {"train": {"loss": 0.9}, "validation": {"loss": 0.5}}


def test_a_training_loss_above_validation_is_explained():
    assert why_training_loss_is_higher({**LOSSES, "train": {"loss": 0.4}}, {}) is None
    assert why_training_loss_is_higher({"train": {"loss": 0.4}}, {}) is None
    plain = why_training_loss_is_higher(LOSSES, {})
    assert "(0.900) stands above the validation loss (0.500)" in plain and "smoothed" not in plain
    config = {
        "augment": {"shift": 1, "mixup": 0.8},
        "optimizer": {"label_smoothing": 0.1, "ema": 0.99, "loss": "sigmoid"},
        "model": {"arguments": {"dropout_rate": 0.1}},
    }
    text = why_training_loss_is_higher(LOSSES, config)
    for word in ("smoothed by 0.1", "augmented", "mixed", "dropout", "averaged", "binary"):
        assert word in text


def test_the_sentence_is_on_the_page_where_the_loss_is_higher(run, tmp_path):
    folder = copied(run, tmp_path / "higher")
    entry = {"step": 1, "epoch": 1.0, "seconds": 1.0, **LOSSES}
    (folder / "history.jsonl").write_text(json.dumps(entry) + "\n")
    assert "stands above the validation loss" in write_report(folder).read_text()
    entry["train"] = {"loss": 0.1}
    (folder / "history.jsonl").write_text(json.dumps(entry) + "\n")
    assert "stands above the validation loss" not in write_report(folder).read_text()


@pytest.fixture
def second(run, tmp_path):
    """The same run, with another accuracy, rate and recall."""
    folder = copied(run, tmp_path / "second")
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["test"]["accuracy"] = 0.999
    metrics["config"]["optimizer"]["learning_rate"] = 0.125
    (folder / "metrics.json").write_text(json.dumps(metrics))
    evaluation = json.loads((folder / "evaluation.json").read_text())
    evaluation["per_class"][4]["recall"] = 0.001
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    return folder


def test_several_runs_are_compared_on_one_page(run, second, tmp_path, capsys):
    output = tmp_path / "compared.html"
    program.main([str(run[1]), str(second), "--output", str(output)])
    assert capsys.readouterr().out == f"{output}\n"
    reader = Reader(output.read_text())
    results = [row[:2] for row in reader.rows[1:3]]
    accuracy = run[0]["test"]["accuracy"]
    assert results == [["second", "99.90%"], ["small <run>", f"{accuracy:.2%}"]]
    assert ["optimizer.learning_rate", "0.005", "0.125"] in reader.rows
    assert not any(row[0] == "epochs" for row in reader.rows)
    recalls = rows_below(reader, "class")
    assert recalls[0][0] == "4" and recalls[0][2] == "0.1%"
    assert "svg+xml" in reader.sources[0] and len(reader.sources) == 1
    assert reader.texts.count(run[0]["command"]) == 2
    program.main([str(second), str(run[1]), "--output", str(output)])  # its own page is replaced


def test_a_page_replaces_no_other_file(run, second, tmp_path):
    own = tmp_path / "thesis.html"
    own.write_text("my own work")
    for runs in ([str(second)], [str(second), str(run[1])]):
        with pytest.raises(SystemExit, match=r"thesis\.html is not a page of training\.report"):
            program.main([*runs, "--output", str(own)])
    assert own.read_text() == "my own work"
    with pytest.raises(SystemExit, match="is given twice"):
        program.main([str(second), str(second), "--output", str(tmp_path / "x.html")])


def test_names_of_any_script_and_with_dollars_can_be_drawn(tmp_path):
    names = ["猫", "a $x^$", "$\\frac$"]
    images = np.zeros((3, 8, 8, 3), "uint8")
    draw_confusion(tmp_path / "confusion.png", np.eye(3, dtype=int), names)
    draw_predictions(tmp_path / "predictions.png", images, [0, 1, 2], np.eye(3)[::-1], names)
    draw_batch(tmp_path / "batch.png", images, np.full((3, 3), 1 / 3), names)
    assert len(list(tmp_path.iterdir())) == 3


def test_the_most_confident_mistakes_are_kept_over_batches():
    mistakes = Mistakes(count=2)
    images = np.zeros((3, 200, 100, 3), "uint8")
    mistakes.add(images, [[0.0, 1.0], [3.0, 0.0], [9.0, 0.0]], [0, 1, 0])
    mistakes.add(images[:1], [[0.0, 2.0]], [0])
    mistakes.add(images[:1, :, :, :2], [[0.0, 2.0]], [0])  # of equals the first one is kept
    first, second = mistakes.most_confident()
    assert (first["truth"], first["guess"]) == (1, 0) and second["confidence"] < 0.9
    assert first["confidence"] == pytest.approx(1 / (1 + np.exp(-3)))
    with PIL.Image.open(io.BytesIO(base64.b64decode(second["png"]))) as picture:
        assert picture.size == (48, 96)


def test_text_is_escaped():
    hostile = '<script>alert("1")</script>&'
    text = page(hostile, [paragraph(hostile), table([[hostile]], [hostile])])
    reader = Reader(text + picture(b"", ".png", hostile))
    assert "script" not in reader.tags and reader.rows == [[hostile], [hostile]]
    assert reader.texts.count(hostile) == 5


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (None, None, "does not exist"),
        ("metrics.json", "{}", "holds no finished run"),
        ("metrics.json", "{", "metrics.json is damaged"),
        ("history.jsonl", "{", "history.jsonl is damaged"),
        ("metrics.json", '{"test": 1, "config": 1, "parameters": 1}', "metrics.json is damaged"),
        ("history.jsonl", "[]\n", "history.jsonl is damaged: TypeError"),
        ("evaluation.json", "{}", "is damaged: KeyError"),
        ("evaluation.json", "[]", "evaluation.json is damaged: TypeError"),
    ],
)
def test_a_folder_that_cannot_be_reported_ends_with_one_line(run, name, content, message, tmp_path):
    folder = tmp_path / "run"
    if name:
        (copied(run, folder) / name).write_text(content)
    with pytest.raises(SystemExit) as stop:
        program.main([str(folder)])
    assert message in str(stop.value) and "\n" not in str(stop.value)
    assert not (folder / "report.html").exists()
