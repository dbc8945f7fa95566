"""The description inside a SavedModel, and the errors if it cannot be read."""

import keras
import pytest

from keras_mlp import ARCHITECTURES, saved_model_info


def test_the_architecture_can_be_rebuilt_from_the_description(exported):
    model, path = exported
    info = saved_model_info(path)
    rebuilt = ARCHITECTURES[info["class_name"]].from_config(info["config"])
    assert [w.path for w in rebuilt.weights] == [w.path for w in model.weights]
    assert rebuilt.dropout_rate == model.dropout_rate
    assert info["image_shape"] == [8, 8, 3]
    assert info["output"] == "logits"
    assert [kind["range"] for kind in info["inputs"]] == [[0, 1], [0, 255], None]
    assert info["versions"]["keras"] == keras.__version__
    written = {f.relative_to(path).as_posix() for f in path.rglob("*") if f.is_file()}
    assert set(info["sha256"]) == written - {"keras_mlp.json"}
    assert {"saved_model.pb", "variables/variables.index"} <= set(info["sha256"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "was not written by keras_mlp: it has no keras_mlp.json"),
        ('{"format_version": 1, "sha', "keras_mlp.json is damaged: JSONDecodeError"),
        ('{"format_version": 1}', "keras_mlp.json is damaged: KeyError"),
        ('{"format_version": 1, "sha256": []}', "keras_mlp.json is damaged: AttributeError"),
        ("[" * 100_000, "keras_mlp.json is damaged: RecursionError"),
        ("[]", "keras_mlp.json is damaged: TypeError"),
        (
            '{"format_version": 1, "sha256": {}}',
            "is damaged: it has no 'class_name'. Export",
        ),
        ('{"format_version": 2, "sha256": {}}', "has format 2; this keras_mlp reads 1"),
    ],
)
def test_a_description_that_cannot_be_read_is_one_clear_error(text, message, tmp_path):
    if text is not None:
        (tmp_path / "keras_mlp.json").write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        saved_model_info(tmp_path)
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)
