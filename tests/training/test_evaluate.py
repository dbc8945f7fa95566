"""What can be evaluated, on which data, and the errors where it cannot."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_mlp
from training import evaluate as program
from training.data.class_folders import load_folder
from training.data.pipeline import Split
from training.evaluate import evaluate_model, evaluate_source
from training.reports.judgement import Judgement

CLASSES = ["ant", "bee", "cat", "dog", "eel", "fox", "gnu"]
SHAPE = (8, 8, 3)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """An untrained classifier as `.keras` file, SavedModel and artefact; and a folder of pictures.

    The folder has 11 noisy pictures of three of the seven classes, in two formats and two sizes.
    """
    folder = tmp_path_factory.mktemp("saved")
    keras.utils.set_random_seed(0)
    model = keras_mlp.MLPMixer(
        image_shape=SHAPE,
        **{"patch_size": 4, "num_layers": 1, "hidden_dim": 8, "token_mlp_dim": 8},
        **{"channel_mlp_dim": 8, "num_classes": len(CLASSES)},
    )
    model.get_layer("head").kernel.assign(np.random.default_rng(0).normal(0, 1, (8, 7)))
    model.save(folder / "model.keras")
    (folder / "labels.txt").write_text("\n".join(CLASSES) + "\n")
    artefact = folder / "artefact"
    for path in (folder / "saved_model", artefact / "classifier"):
        path.parent.mkdir(exist_ok=True)
        keras_mlp.export_saved_model(model, path, class_names=CLASSES)
    keras_mlp.export_saved_model(model, folder / "features", output="features")
    images = np.random.default_rng(1).integers(0, 256, (3, *SHAPE)).astype("uint8")
    np.savez(artefact / "golden.npz", images=images, logits=np.asarray(model(images)))
    _write_pictures(folder / "pictures")
    return folder


def _write_pictures(root):
    rng = np.random.default_rng(2)
    for number in range(11):
        folder = root / ("bee", "dog", "fox")[number % 3]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (8, 8, 3) if number % 2 else (12, 10, 3)).astype("uint8")
        encode, suffix = ((tf.io.encode_png, "png"), (tf.io.encode_jpeg, "JPG"))[number % 4 == 0]
        (folder / f"{number}.{suffix}").write_bytes(encode(pixels).numpy())


def test_every_kind_of_source_gives_the_same(saved):
    pictures = saved / "pictures"
    results = [
        evaluate_source(saved / source, folder=pictures)
        for source in ("model.keras", "saved_model", "artefact")
    ]
    split = load_folder(pictures, CLASSES, SHAPE)
    images, labels = (np.stack(each) for each in zip(*split.examples, strict=True))
    logits = np.asarray(keras.models.load_model(saved / "model.keras")(images))
    expected = Judgement(len(CLASSES))
    expected.add(logits, labels)
    for result in results:
        assert result["examples"] == 11
        assert result["confusion"] == expected.confusion.tolist()
        assert result["classes"] == CLASSES
        for key, value in expected.summary().items():
            assert result[key] == pytest.approx(value, abs=1e-6), key
    assert [result["golden_difference"] is None for result in results] == [True, True, False]
    assert results[2]["golden_difference"] <= 1e-5


def classifier(end):
    """The toy's features with a random classifier that ends in some way."""
    pixels = keras.Input(SHAPE)
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(pixels))
    start = keras.initializers.RandomNormal(stddev=1.0, seed=3)
    return keras.Model(pixels, end(x, {"units": len(CLASSES), "kernel_initializer": start}))


ENDS = {
    "dense": lambda x, dense: keras.layers.Dense(**dense, activation="softmax")(x),
    "layer": lambda x, dense: keras.layers.Softmax()(keras.layers.Dense(**dense)(x)),
    "function": lambda x, dense: keras.ops.softmax(keras.layers.Dense(**dense)(x)),
    "nested": lambda x, dense: keras.layers.Activation("linear")(
        keras.Sequential([keras.layers.Dense(**dense), keras.layers.Activation("softmax")])(x)
    ),
}


def judged(end, pictures, folder):
    """What is found out about the classifier with some end."""
    (folder / "labels.txt").write_text("\n".join(CLASSES))
    classifier(end).save(folder / "any.keras")
    return evaluate_source(folder / "any.keras", folder=pictures)


@pytest.fixture(scope="module")
def judged_logits(saved, tmp_path_factory):
    def end(x, dense):
        return keras.layers.Dense(**dense)(x)

    return judged(end, saved / "pictures", tmp_path_factory.mktemp("logits"))


@pytest.mark.parametrize("end", ENDS)
def test_probabilities_are_judged_as_the_logits_that_they_come_from(
    end, judged_logits, saved, tmp_path
):
    found = judged(ENDS[end], saved / "pictures", tmp_path)
    for key in ("loss", "accuracy", "calibration_error"):
        assert found[key] == pytest.approx(judged_logits[key], rel=1e-4), key
    assert found["loss"] > 2.5  # of a uniform guess, as logits of 0 to 1 give, 1.9


def test_our_models_that_return_probabilities_are_judged_by_their_logits(saved, tmp_path):
    model = keras.models.load_model(saved / "model.keras")
    changed = {**model.get_config(), "classifier_activation": "softmax"}
    same = keras_mlp.MLPMixer.from_config(changed)
    same.set_weights(model.get_weights())
    same.class_names = CLASSES
    same.save(tmp_path / "model.keras")
    images = np.zeros((2, *SHAPE), "uint8")
    np.savez(tmp_path / "golden.npz", images=images, outputs=np.asarray(same(images)))
    pictures = saved / "pictures"
    found, expected = (
        evaluate_source(folder / "model.keras", folder=pictures) for folder in (tmp_path, saved)
    )
    assert found["loss"] == pytest.approx(expected["loss"], abs=1e-6)
    assert found["golden_difference"] == 0.0


def test_a_sigmoid_is_refused_with_the_way_out(saved, tmp_path):
    file = tmp_path / "any.keras"
    classifier(lambda x, dense: keras.layers.Dense(**dense, activation="sigmoid")(x)).save(file)
    with pytest.raises(ValueError, match=r"any\.keras ends with a sigmoid.*save the model without"):
        evaluate_source(file, folder=saved / "pictures")


def test_a_folder_is_read_in_order_resized_and_grey_as_asked(saved, tmp_path):
    split = load_folder(saved / "pictures", CLASSES, SHAPE)
    labels = [int(label) for _, label in split.examples]
    assert labels == [1] * 4 + [3] * 4 + [5] * 3 and split.size == 11
    (tmp_path / "ant").mkdir()
    grey = np.arange(64, dtype="uint8").reshape(8, 8, 1) * 4
    (tmp_path / "ant" / "grey.png").write_bytes(tf.io.encode_png(grey).numpy())
    for channels in (1, 3):
        ((image, label),) = load_folder(tmp_path, CLASSES, (8, 8, channels)).examples
        np.testing.assert_array_equal(image, np.repeat(grey, channels, -1))
        assert label == 0
    # A constant picture stays the same at another size.
    tf.io.write_file(
        str(tmp_path / "ant" / "grey.png"), tf.io.encode_png(np.full((5, 9, 3), 77, "uint8"))
    )
    ((image, _),) = load_folder(tmp_path, CLASSES, (16, 4, 3)).examples
    np.testing.assert_array_equal(image, np.full((16, 4, 3), 77))


def test_the_program_writes_files_and_prints_one_json_line_last(saved, tmp_path, capsys):
    arguments = ["--source", str(saved / "saved_model"), "--folder", str(saved / "pictures")]
    program.main([*arguments, "--output", str(tmp_path / "judged")])
    printed = capsys.readouterr().out.splitlines()
    stored = json.loads((tmp_path / "judged" / "evaluation.json").read_text())
    headline = json.loads(printed[-1])
    assert headline == {key: stored[key] for key in headline}
    assert {"accuracy", "loss", "examples", "golden_difference"} <= headline.keys()
    assert np.sum(stored["confusion"]) == 11 and stored["versions"] and stored["commit"]
    assert stored["images_per_second"] is None  # there was only one batch
    names = {file.name for file in (tmp_path / "judged").iterdir()}
    assert names == {"evaluation.json", "confusion.png", "reliability.png"}


def test_the_program_prints_what_it_judges_the_classes_and_the_pairs(saved, capsys):
    program.main(["--source", str(saved / "saved_model"), "--folder", str(saved / "pictures")])
    first, *lines = capsys.readouterr().out.splitlines()
    assert f"{saved / 'saved_model'} on {saved / 'pictures'}: 11 images, 7 classes, " in first
    start = next(i for i, line in enumerate(lines) if line.startswith("class "))
    assert lines[start].split() == ["class", "precision", "recall", "images"]
    names = [line.split()[0] for line in lines[start + 1 : start + 8]]
    assert names == CLASSES
    assert any(line.startswith("truth ") for line in lines)


def test_a_damaged_picture_of_a_config_is_one_line_that_names_it(saved, tmp_path):
    for split in ("train", "test"):
        _write_pictures(tmp_path / split)
    (tmp_path / "test" / "bee" / "torn.png").write_bytes(b"torn")
    page = tmp_path / "page.py"
    page.write_text(
        "from training.config import Config, Data\n"
        f"CONFIG = Config(data=Data(name='image_folder', data_dir={str(tmp_path)!r}, "
        "num_classes=3, validation_percent=0))\n"
    )
    model = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(3)])
    model.save(tmp_path / "model.keras")
    with pytest.raises(SystemExit, match=r"1 damaged picture.*torn\.png") as stop:
        program.main(["--source", str(tmp_path / "model.keras"), "--config", str(page)])
    assert "\n" not in str(stop.value)


def test_a_model_of_any_image_size_is_refused_with_the_way_out(saved, tmp_path):
    images = keras.Input((None, None, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(images)
    keras.Model(images, keras.layers.Dense(7)(pooled)).save(tmp_path / "model.keras")
    (tmp_path / "labels.txt").write_text("\n".join(CLASSES))
    with pytest.raises(ValueError, match="Save the model with a fixed image size"):
        evaluate_source(tmp_path / "model.keras", folder=saved / "pictures")


def test_images_per_second_leave_out_the_first_batch():
    images = tf.zeros((6, 1, 1, 2), tf.uint8)
    split = Split(lambda: tf.data.Dataset.from_tensor_slices((images, np.zeros(6, "int64"))), 6)
    result = evaluate_model(
        lambda x, training: tf.cast(x[:, 0, 0], tf.float32), split, ["a", "b"], 2
    )
    assert result["images_per_second"] > 0 and result["examples"] == 6


def test_a_split_of_a_config_is_chosen_by_name(saved, data_dir, config, change, tmp_path):
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(10))
    model.save(tmp_path / "model.keras")
    sizes = {
        split: evaluate_source(tmp_path / "model.keras", config, split=split)["examples"]
        for split in ("train", "validation", "test")
    }
    assert sizes == {"train": 1293, "validation": 144, "test": 360}
    with pytest.raises(ValueError, match=r"`data\.validation_percent` is 0"):
        whole = change(data={"validation_percent": 0})
        evaluate_source(tmp_path / "model.keras", whole, split="validation")
    with pytest.raises(ValueError, match=r"`--split` is 'tset'\. Did you mean 'test'"):
        evaluate_source(tmp_path / "model.keras", config, split="tset")
    fewer = change(data={"classes": (0, 1, 2)})
    with pytest.raises(ValueError, match=r"for 3 classes it must be"):
        evaluate_source(tmp_path / "model.keras", fewer)
    with pytest.raises(ValueError, match="needs names of the model's classes"):
        evaluate_source(tmp_path / "model.keras", folder=saved / "pictures")
    (tmp_path / "metrics.json").write_text("[1, 2]")  # from another program
    with pytest.raises(ValueError, match="needs names of the model's classes"):
        evaluate_source(tmp_path / "model.keras", folder=saved / "pictures")
    (tmp_path / "metrics.json").write_text("{")
    with pytest.raises(ValueError, match=r"metrics\.json is damaged: .*move it away"):
        evaluate_source(tmp_path / "model.keras", folder=saved / "pictures")


def _broken(root, how):
    """A folder of pictures with something wrong."""
    (root / "bee").mkdir(parents=True)
    if how == "damaged":
        (root / "bee" / "torn.jpg").write_bytes(b"\xff\xd8 not much of a picture")
    if how == "stranger":
        (root / "beee").mkdir()
        (root / "beee" / "0.png").write_bytes(tf.io.encode_png(np.zeros(SHAPE, "uint8")).numpy())
    return root


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("absent", "does not exist"),
        ("empty", "has no files CLASS/*.jpg"),
        ("damaged", "torn.jpg is damaged"),
        ("stranger", "'beee', which is not one of the model's 7 classes. Did you mean 'bee'"),
    ],
)
def test_a_folder_that_does_not_fit_ends_with_one_line(saved, how, message, tmp_path):
    root = tmp_path / "root" if how == "absent" else _broken(tmp_path / "root", how)
    with pytest.raises(SystemExit) as stop:
        program.main(["--source", str(saved / "model.keras"), "--folder", str(root)])
    assert message in str(stop.value) and "\n" not in str(stop.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nothing", "does not exist"),
        ("features", "outputs features, not logits"),
        ("pictures", "was not written by keras_mlp"),
        ("pictures", "pictures was not written by keras_mlp: the folder holds neither model.keras"),
        ("torn.keras", "damaged: it is not a .keras archive, or it is cut off"),
    ],
)
def test_a_source_that_cannot_be_judged_ends_with_one_line(saved, source, message):
    (saved / "torn.keras").write_bytes(b"PK torn")
    with pytest.raises(SystemExit) as stop:
        program.main(["--source", str(saved / source), "--folder", str(saved / "pictures")])
    assert message in str(stop.value) and "\n" not in str(stop.value)
    assert str(stop.value).startswith("error: ")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": np.zeros((2, 9, 9, 3), "uint8")}, r"images are uint8 \(2, 9, 9, 3\)"),
        ({"images": np.zeros(2, "U3")}, "images are <U3"),
        ({"logits": np.zeros((2, 5))}, r"holds outputs \(2, 5\), the model gives \(2, 7\)"),
    ],
)
def test_golden_outputs_of_another_model_are_one_line(saved, arrays, message, tmp_path):
    whole = {"images": np.zeros((2, *SHAPE), "uint8"), "logits": np.zeros((2, 7)), **arrays}
    np.savez(tmp_path / "golden.npz", **whole)
    model = keras.models.load_model(saved / "model.keras")
    with pytest.raises(ValueError, match=rf"does not fit the model: .*{message}") as error:
        program.check_golden(model, tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (b"ant\nbee\n\xff\n", "labels.txt cannot be read: it must be UTF-8"),
        (b"ant\n\x1b[31m\n", "has the class name .*is a control character"),
        (None, "needs names of the model's classes"),
    ],
)
def test_names_that_cannot_be_names_are_one_line(saved, labels, message, tmp_path):
    (tmp_path / "model.keras").write_bytes((saved / "model.keras").read_bytes())
    if labels is None:
        (tmp_path / "metrics.json").write_text('{"classes": 5}')
    else:
        (tmp_path / "labels.txt").write_bytes(labels)
    with pytest.raises(ValueError, match=message) as error:
        evaluate_source(tmp_path / "model.keras", folder=saved / "pictures")
    assert str(error.value).isprintable()


def test_golden_outputs_beside_a_damaged_file_are_an_error(tmp_path):
    (tmp_path / "golden.npz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"golden\.npz cannot be read"):
        program.check_golden(None, tmp_path)


def test_either_a_config_or_a_folder(saved):
    with pytest.raises(ValueError, match="not both or none"):
        evaluate_source(saved / "model.keras")


def test_an_output_that_cannot_be_made_ends_before_the_work(saved, monkeypatch):
    monkeypatch.setattr(program, "evaluate_model", pytest.fail)
    output = saved / "model.keras" / "judged"
    arguments = ["--source", str(saved / "model.keras"), "--folder", str(saved / "pictures")]
    with pytest.raises(SystemExit, match=r"`--output` .*cannot be created: Not a directory"):
        program.main([*arguments, "--output", str(output)])
