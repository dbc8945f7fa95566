"""python -m keras_mlp.formats."""

import shutil
import zipfile

import keras
import pytest

from keras_mlp.formats import __main__ as command
from tests.contract import predict, some_pixels, with_random_weights
from tests.formats import runtimes
from tests.test_contract import factory


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("artefact")
    with_random_weights(factory("MLPMixer")(num_layers=1)).save(folder / "model.keras")
    return folder


@pytest.mark.parametrize("name", ["model.keras", "."])
def test_a_file_or_a_folder_is_converted(source, name, tmp_path, capfd):
    output = tmp_path / "toy.tflite"
    arguments = ["--format", "litert", "--batch-size", "2", "--output", str(output)]
    command.main([str(source / name), *arguments])
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == (f"{output}\n", "")
    model = keras.models.load_model(source / "model.keras")
    pixels = some_pixels(model, batch=2)
    runtimes.assert_same(runtimes.litert(output, pixels), predict(model, pixels))


def test_the_names_beside_an_older_file_go_along(source, tmp_path):
    count = keras.models.load_model(source / "model.keras").num_classes
    names = [f"class {number}" for number in range(count)]
    shutil.copyfile(source / "model.keras", tmp_path / "model.keras")
    (tmp_path / "labels.txt").write_text("".join(f"{name}\n" for name in names))
    output = tmp_path / "toy.tflite"
    command.main([str(tmp_path), "--format", "litert", "--output", str(output)])
    with zipfile.ZipFile(output) as archive:
        assert archive.read("labels.txt").decode().splitlines() == names


@pytest.mark.parametrize("form", command.FORMATS)
def test_every_format_gets_its_options(form, source, tmp_path, monkeypatch, capsys):
    calls = []

    def export(model, path, **options):
        calls.append(options)
        return path

    monkeypatch.setitem(command.FORMATS, form, export)
    own = {"calibration_images": str(tmp_path)} if form == "openvino-int8" else {}
    arguments = [str(source), "--format", form, "--output", str(tmp_path / "out")]
    arguments += [word for name, value in own.items() for word in (option(name), value)]
    command.main([*arguments, "--training-form", "--overwrite"])
    assert calls == [{"deployed": False, "overwrite": True, **own}]


def option(name):
    return f"--{name.replace('_', '-')}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no.keras", "--format", "litert"], "SOURCE no.keras is neither a .keras file nor"),
        (["SOURCE", "--format", "onnx", "--batch-size", "2"], "`--batch-size` 2 is for `--format`"),
        (
            ["SOURCE", "--format", "litert", "--batch-size", "0"],
            "`batch_size` must be a positive integer",
        ),
        (["SOURCE", "--format", "litert", "--converter", "x"], "`--converter` x is for"),
        (["SOURCE", "--format", "openvino-int8"], "openvino-int8 needs `--calibration-images`"),
        (
            ["SOURCE", "--format", "openvino-int8", "--calibration-images", "no/such"],
            "`--calibration-images`: there is nothing at no/such",
        ),
        (
            ["SOURCE", "--format", "openvino", "--calibration-images", "."],
            "`--calibration-images` . is for `--format` openvino-int8, not openvino",
        ),
        (["SOURCE", "--format", "tfjs", "--converter", "no/such"], "no tensorflowjs_converter at"),
    ],
)
def test_errors_are_one_line(arguments, message, source, tmp_path, capsys):
    arguments = [str(source) if each == "SOURCE" else each for each in arguments]
    assert message in failure([*arguments, "--output", str(tmp_path / "toy.tflite")], capsys)
    assert not list(tmp_path.iterdir())


def failure(arguments, capsys):
    """The one-line error of a program that fails."""
    with pytest.raises(SystemExit) as stop:
        command.main(arguments)
    assert stop.value.code == 1
    text = capsys.readouterr().err
    assert text.startswith("error: ") and text.count("\n") == 1
    return text


def damaged(content, damage):
    if damage == "truncated":
        return content[: len(content) // 2]
    if damage == "not a model":
        return b"not a zip archive"
    # In the middle of the weights, so that the archive itself stays intact.
    middle = content.index(b"model.weights.h5") + len(content) // 2
    return content[:middle] + bytes(64) + content[middle + 64 :]


@pytest.mark.parametrize("damage", ["truncated", "not a model", "overwritten"])
def test_a_damaged_model_is_one_line(damage, source, tmp_path, capsys):
    file = tmp_path / "model.keras"
    file.write_bytes(damaged((source / "model.keras").read_bytes(), damage))
    output = tmp_path / "toy.tflite"
    message = failure([str(file), "--format", "litert", "--output", str(output)], capsys)
    assert f"error: {file} cannot be loaded; it may be damaged: " in message
    assert ("it is not a .keras archive, or it is cut off." in message) == (damage != "overwritten")
    assert not output.exists()


@pytest.mark.parametrize(
    ("labels", "message"),
    [(b"one\ntwo\n", "has 2 class names, the model "), (b"\xff\n", "must be UTF-8 text")],
)
def test_wrong_labels_beside_the_model_are_named(source, labels, message, tmp_path, capsys):
    file = tmp_path / "model.keras"
    shutil.copy(source / "model.keras", file)
    (tmp_path / "labels.txt").write_bytes(labels)
    output = tmp_path / "toy.tflite"
    told = failure([str(file), "--format", "litert", "--output", str(output)], capsys)
    assert f"error: {tmp_path / 'labels.txt'} {message}" in told and not output.exists()


def test_an_existing_output_is_told_with_the_option_of_the_command(source, tmp_path, capsys):
    output = tmp_path / "toy.tflite"
    output.write_bytes(b"mine")
    message = failure([str(source), "--format", "litert", "--output", str(output)], capsys)
    assert f"{output} already exists; `--overwrite` replaces it." in message
    assert output.read_bytes() == b"mine"
