"""The page that a run writes: complete, valid, escaped and self-contained."""

import base64
import html.parser
import json
import re

import matplotlib.figure
import pytest

from training import report as program
from training.evaluate import evaluate_source
from training.report import write_report
from training.reports.html_page import page, paragraph, picture, table
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
    assert len(reader.sources) == 5 and all(each.startswith("data:") for each in reader.sources)
    assert not reader.tags & {"script", "link", "iframe"}
    assert not re.search(r"\burl\(|@import", text)
    kinds = [re.match(r"data:image/([a-z+]+);base64,(.*)", each) for each in reader.sources]
    starts = [base64.b64decode(kind[2])[:5] for kind in kinds]
    assert [kind[1] for kind in kinds] == ["svg+xml", *["png"] * 4]
    assert starts == [b"<?xml", *[b"\x89PNG\r"] * 4]


def test_a_run_without_validation_and_without_an_evaluation(run, tmp_path):
    folder = copied(run, tmp_path / "bare")
    (folder / "evaluation.json").unlink()
    lines = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    for entry in lines:
        del entry["validation"], entry["train"]["gradient_norm"]
    (folder / "history.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in lines))
    reader = Reader(write_report(folder).read_text())
    text = " ".join(reader.texts)
    assert "No images were held out" in text and "Not judged class by class" in text
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
