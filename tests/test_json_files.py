"""Our JSON files: damage raises one clear error that names the file and the way out."""

import dataclasses
import json
import math
import pathlib

import pytest

from keras_mlp.json_files import json_text, read_json, read_json_lines, write_json

ROOT = pathlib.Path(__file__).parent.parent
WAY_OUT = "Remove it."


def test_what_was_written_is_read(tmp_path):
    (tmp_path / "a.json").write_text('{"name": "größer", "values": [1, 2.5, null]}', "utf-8")
    tree = read_json(tmp_path / "a.json", WAY_OUT, lambda tree: tree["values"])
    assert tree == {"name": "größer", "values": [1, 2.5, None]}


@dataclasses.dataclass
class Turn:
    seconds: float


def strict(text):
    """Parses JSON as other languages do."""

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_numbers_that_are_not_finite_are_written_as_null(tmp_path):
    bad = [math.nan, math.inf, -math.inf]
    tree = {"bad": bad, "pair": (1.5, {"deep": math.nan}), "turn": [Turn(math.nan), Turn(2.0)]}
    write_json(tmp_path / "a.json", tree)
    expected = {
        "bad": [None] * 3,
        "pair": [1.5, {"deep": None}],
        "turn": [{"seconds": None}, {"seconds": 2.0}],
    }
    assert strict((tmp_path / "a.json").read_text()) == expected
    assert read_json(tmp_path / "a.json", WAY_OUT) == expected
    assert bad[1] == math.inf  # what was given stays


def test_the_text_is_that_of_json():
    tree = {"name": "größer", "values": [1, 2.5, None, True]}
    assert json_text(tree) == json.dumps(tree)
    assert json_text(tree, indent=2) == json.dumps(tree, indent=2)
    assert json_text(tree, ascii_only=False) == json.dumps(tree, ensure_ascii=False)


def test_what_earlier_versions_wrote_is_read_alike(tmp_path):
    (tmp_path / "a.json").write_text('{"loss": NaN, "worst": [Infinity, -Infinity, 1.0]}')
    found = {"loss": None, "worst": [None, None, 1.0]}
    assert read_json(tmp_path / "a.json", WAY_OUT) == found
    (tmp_path / "a.jsonl").write_text('{"loss": NaN}\n{"loss": 1.0}\n')
    assert read_json_lines(tmp_path / "a.jsonl", WAY_OUT) == [{"loss": None}, {"loss": 1.0}]


def test_every_stored_file_is_strict_json():
    files = [*ROOT.glob("docs/results/*.json"), *ROOT.glob("saved_models/*/*.json")]
    assert len(files) > 20
    for file in files:
        strict(file.read_text("utf-8"))


DAMAGES = {
    "empty": b"",
    "cut": b'{"a": {"b": ',
    "bytes": b"\xff\xfe\x00",
    "deep": b"[" * 100_000,
    "list": b"[]",
    "number": b"3",
    "no key": b'{"b": 1}',
    "other type": b'{"a": [1, 2]}',
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_one_line_with_the_way_out(damage, tmp_path):
    file = tmp_path / "a.json"
    file.write_bytes(DAMAGES[damage])
    message = rf"^{file} is damaged: \w+\(.*\)\. Remove it\.$"
    with pytest.raises(ValueError, match=message) as error:
        read_json(file, WAY_OUT, lambda tree: tree["a"]["b"])
    assert len(str(error.value)) < 300


def test_a_missing_file_is_left_to_the_caller(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "a.json", WAY_OUT)


def test_a_file_that_cannot_be_read_is_not_called_damaged(tmp_path):
    with pytest.raises(ValueError, match=f"^{tmp_path} cannot be read: Is a directory.$"):
        read_json(tmp_path, WAY_OUT)


def test_lines_are_read_in_order_and_an_unfinished_one_is_left_out_on_demand(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text('{"step": 1}\n{"step": 2}\n{"st')
    steps = read_json_lines(file, WAY_OUT, lambda entry: entry["step"], unfinished=True)
    assert steps == [{"step": 1}, {"step": 2}]
    with pytest.raises(ValueError, match="is damaged: JSONDecodeError"):
        read_json_lines(file, WAY_OUT)
    file.write_text('{"step": 1}\n{"epoch": 2}\n')
    with pytest.raises(ValueError, match=r"is damaged: KeyError\('step'\)\. Remove it"):
        read_json_lines(file, WAY_OUT, lambda entry: entry["step"], unfinished=True)
