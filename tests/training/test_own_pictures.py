"""Training on a folder of one's own pictures, from the files to the last line."""

import json
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

import keras_mlp
from keras_mlp import saved_model_info
from saved_models.make import make
from saved_models.verify import problems_of
from tests.own_process import run_in_own_process
from tests.training.blank_pictures import blank_pictures
from tests.training.test_jax_engine import ON_JAX, QUICK
from training import finetune as program
from training.data.picture_facts import picture_facts
from training.data.picture_splits import split_pictures
from training.evaluate import evaluate_source
from training.folder_config import MODEL, Task, folder_config
from training.models.from_config import build_model
from training.train import train

COLOURS = {"blue": (30, 40, 200), "green": (30, 180, 60), "red": (210, 40, 30)}


def write_pictures(root, classes=COLOURS, count=10, size=(12, 10), mode="RGB"):
    """Noisy pictures of one colour for each class."""
    rng = np.random.default_rng(0)
    for name, colour in classes.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            noise = rng.normal(0, 20, (size[1], size[0], 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype("uint8")
            Image.fromarray(pixels).convert(mode).save(root / name / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A function from a number of channels to the file of a small untrained model."""
    folder = tmp_path_factory.mktemp("source")

    def file_of(channels):
        file = folder / f"{channels}.keras"
        if not file.exists():
            keras.utils.set_random_seed(0)
            sizes = {"num_layers": 1, "hidden_dim": 16, "token_mlp_dim": 8, "channel_mlp_dim": 16}
            keras_mlp.MLPMixer.from_variant(
                "pico/2", image_shape=(8, 8, channels), num_classes=5, **sizes
            ).save(file)
        return str(file)

    return file_of


def arguments_for(pictures, run, *more):
    return ["--folder", str(pictures), "--workdir", str(run), *map(str, more)]


@pytest.fixture(scope="module")
def finished(source, tmp_path_factory):
    """A comparison on a folder: the pictures, the run, and what was printed."""
    root = tmp_path_factory.mktemp("own")
    pictures, run = write_pictures(root / "my Colours"), root / "run"
    options = ["--source", source(3), "--epochs", 8, "--compare"]
    options += ["--set", "optimizer.learning_rate=0.01", "--set", "augment.crop=0.8"]
    options += ["--set", "runtime.epochs_per_checkpoint=4"]
    arguments = arguments_for(pictures, run, *options)
    with blank_pictures(), pytest.MonkeyPatch.context() as patch:
        lines = []
        patch.setattr("builtins.print", lambda *words, **_: lines.append(" ".join(map(str, words))))
        program.main(arguments)
    return pictures, run, "\n".join(lines), arguments


def test_it_says_first_what_will_happen(finished):
    pictures, _, said, _ = finished
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert lines[0] == f"pictures 30 of 3 classes in {pictures}: 12 x 10 pixels, in colour"
    assert lines[1:6] == [
        "class train validation test",
        "blue 7 1 2",
        "green 7 1 2",
        "red 7 1 2",
        "all 21 3 6",
    ]
    assert "resized whole to 8 x 8 pixels, in training random parts of 80% or more" in said
    assert "MLPMixer own size, " in said and "with a new classifier" in said
    assert "3 runs of 8 epochs, 21 steps of 8 pictures: about" in said


def test_a_length_in_steps_is_the_one_that_it_says(source, tmp_path, monkeypatch, capsys):
    def not_now(*_, **__):
        raise ValueError("not now")

    monkeypatch.setattr("training.own_pictures.train", not_now)
    options = ["--source", source(3), "--set", "steps=5"]
    with pytest.raises(SystemExit, match="not now"):
        program.main(arguments_for(write_pictures(tmp_path / "root"), tmp_path / "run", *options))
    assert "training 5 steps of 8 pictures: about" in " ".join(capsys.readouterr().out.split())


def test_it_says_last_where_everything_is_and_what_is_next(finished):
    _, run, said, _ = finished
    last = said.splitlines()[-2:]
    assert f"python -m training.evaluate --source {run} --folder" in last[0]
    assert f"python -m saved_models.make {run} --output artefacts" in last[1]
    for name in ("report.html", "model.keras", "saved_model"):
        assert str(run / name) in said and (run / name).exists()
    table = (run / "comparison.md").read_text().splitlines()
    assert [row.split("|")[1].strip() for row in table[2:]] == [
        "frozen",
        "fine-tuned",
        "from scratch",
    ]


def test_the_model_has_learned_and_knows_its_classes(finished, tmp_path):
    pictures, run, _, _ = finished
    assert keras.models.load_model(run / "model.keras").class_names == tuple(COLOURS)
    assert saved_model_info(run / "saved_model")["class_names"] == list(COLOURS)
    for path in (run, run / "saved_model"):
        result = evaluate_source(path, folder=pictures)
        assert result["accuracy"] > 0.8 and result["examples"] == 30  # chance is a third


def test_frozen_and_from_scratch_differ_as_they_say(finished, source):
    _, run, _, _ = finished
    old = keras.models.load_model(source(3)).get_layer("stem").get_weights()[0]
    stems = {
        name: keras.models.load_model(run / name / "model.keras").get_layer("stem").get_weights()[0]
        for name in (".", "frozen", "from_scratch")
    }
    np.testing.assert_array_equal(stems["frozen"], old)
    assert 0 < np.abs(stems["."] - old).max() < np.abs(stems["from_scratch"] - old).max()


def test_the_run_becomes_an_artefact(finished, tmp_path):
    artefact = make(finished[1], tmp_path / "artefacts")
    assert artefact.name == "mixer_my_colours" and problems_of(artefact) == []
    card = (artefact / "README.md").read_text()
    assert "fine-tuned from `3.keras` on the maker" in card and "TFDS" not in card
    assert keras.models.load_model(artefact / "model.keras").class_names == tuple(COLOURS)


def test_the_same_command_finds_the_run_finished(finished, capsys):
    before = (finished[1] / "metrics.json").read_bytes()
    program.main(finished[3])
    assert "holds this run, finished" in capsys.readouterr().out
    assert (finished[1] / "metrics.json").read_bytes() == before


@pytest.mark.parametrize(("channels", "shape"), [(1, (64, 64, 1)), (3, (64, 64, 3))])
def test_without_a_source_a_small_model_is_built(channels, shape):
    task = Task("pictures", 40, True, (64, 64, channels), MODEL)
    config = folder_config(task, ["epochs=7", "optimizer.learning_rate=0.5"])
    assert (config.epochs, config.optimizer.learning_rate) == (7, 0.5)
    assert config.augment.flip == (channels == 3) and config.optimizer.layer_decay == 1
    model = build_model(config.model, 3, "float32")
    assert type(model) is keras_mlp.RepMLPNet and model.image_shape == shape
    assert model.grid == (16, 16) and model.count_params() < 3e6


def test_fewer_pictures_get_more_epochs():
    def epochs(train):
        return folder_config(Task("pictures", train, True, (8, 8, 3), MODEL)).epochs

    assert epochs(10) == 100 and epochs(1000) == 40 and epochs(10**6) == 5


def test_a_split_is_balanced_seeded_and_stays_when_pictures_are_added(tmp_path):
    root = write_pictures(tmp_path / "all", count=20)
    found = split_pictures(root, 0)
    assert found.classes == list(COLOURS) and found.cut == ("test", "validation")
    for name in COLOURS:
        assert [found.count(split, name) for split in ("train", "validation", "test")] == [14, 3, 3]
    paths = [set(found.paths(split)) for split in found.files]
    assert len(set.union(*paths)) == sum(map(len, paths)) == 60
    assert split_pictures(root, 0).files == found.files != split_pictures(root, 1).files
    moved = shutil.move(root, tmp_path / "moved")
    names = [path.removeprefix(str(moved)) for path in split_pictures(moved, 0).paths("test")]
    assert names == [path.removeprefix(str(root)) for path in found.paths("test")]
    Image.new("RGB", (4, 4)).save(moved / "red" / "more.png")
    after = split_pictures(moved, 0)
    kept = {path.removeprefix(str(moved)) for path in after.paths("train")}
    before = {path.removeprefix(str(root)) for path in found.paths("train")}
    assert len(before - kept) <= 1


def test_folders_of_splits_are_taken_as_they_are(tmp_path):
    for split, count in {"train": 3, "val": 2, "test": 1}.items():
        write_pictures(tmp_path / split, count=count)
    found = split_pictures(tmp_path, 0)
    assert found.cut == ()
    sizes = {split: found.count(split) for split in found.files}
    assert sizes == {"train": 9, "validation": 6, "test": 3}
    shutil.rmtree(tmp_path / "test")
    assert split_pictures(tmp_path, 0).cut == ("test",)
    assert split_pictures(tmp_path, 0).count("test") == 3


def test_two_pictures_of_a_class_leave_none_for_validation(tmp_path):
    found = split_pictures(write_pictures(tmp_path / "two", count=2), 0)
    assert {split: found.count(split) for split in found.files} == {"train": 3, "test": 3}


def test_equal_files_in_two_splits_are_found(tmp_path):
    root = write_pictures(tmp_path / "all", count=4)
    found = split_pictures(root, 0)
    (first, *_), (second, *_) = found.paths("test"), found.paths("train")
    assert not picture_facts({split: found.paths(split) for split in found.files}).copies
    shutil.copyfile(first, second)
    facts = picture_facts({split: found.paths(split) for split in found.files})
    assert facts.copies in ((first,), (second,))


def ruined(root, how):
    """A folder with something wrong."""
    if how == "empty":
        root.mkdir()
    elif how == "loose":
        root.mkdir()
        Image.new("RGB", (4, 4)).save(root / "a.png")
    elif how == "one class":
        write_pictures(root, {"red": (200, 0, 0)})
    else:
        write_pictures(root)
    if how == "one picture":
        (root / "single").mkdir()
        Image.new("RGB", (4, 4)).save(root / "single" / "a.png")
    if how == "no picture":
        (root / "none").mkdir()
    if how == "damaged":
        (root / "red" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    if how == "cut off":
        content = (root / "red" / "0.png").read_bytes()
        (root / "red" / "0.png").write_bytes(content[: len(content) // 2])
    if how == "stranger":
        write_pictures(root / "train")
        write_pictures(root / "val", {"pink": (255, 100, 180)})
    return root


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("empty", "holds no folders of pictures. It must hold a folder per class, CLASS/*"),
        ("loose", "1 picture(s) are in no class folder"),
        ("one class", "holds one class, 'red': a classifier needs"),
        ("one picture", "has too few pictures of 1 class(es): 'single' (1). Each needs 2 or more"),
        ("no picture", "has too few pictures of 1 class(es): 'none' (0)"),
        ("damaged", "1 of 31 pictures cannot be read: "),
        ("cut off", "1 damaged picture(s), more than `data.max_corrupt`=0: "),
        ("stranger", "has classes that "),
    ],
)
def test_a_folder_that_cannot_be_learned_is_one_line(how, message, source, tmp_path):
    root = ruined(tmp_path / "root", how)
    with pytest.raises(SystemExit) as stop:
        program.main(arguments_for(root, tmp_path / "run", "--source", source(3)))
    assert str(stop.value).startswith("error: ") and message in str(stop.value)
    assert "\n" not in str(stop.value) and str(root) in str(stop.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("channels", "options", "message"),
    [
        (1, [], "takes grey images, and 30 of 30 pictures are in colour: `--channels 1`"),
        (4, [], "takes images of 4 channels; pictures have 1 or 3. `--channels 3`"),
        (3, ["--image-size", 9], "`image_shape`"),
        (3, ["--set", "model.arguments.hidden_dim=3"], "cannot be set with `model.source`"),
        (3, ["--set", "data.num_classes=7"], "`data.num_classes` is 7"),
    ],
)
def test_a_source_that_does_not_fit_is_one_line(channels, options, message, source, tmp_path):
    root = write_pictures(tmp_path / "root")
    arguments = arguments_for(root, tmp_path / "run", "--source", source(channels), *options)
    with pytest.raises(SystemExit) as stop:
        program.main(arguments)
    assert message in str(stop.value) and "\n" not in str(stop.value)
    assert not (tmp_path / "run").exists()


def test_a_source_trains_from_a_config_too(source, config, tmp_path):
    config.model.source, config.model.arguments = source(1), {}
    with pytest.raises(ValueError, match="is a MLPMixer own size"):
        train(config, tmp_path / "run")
    config.model.source = ""
    config.model.start = "frozen"
    with pytest.raises(ValueError, match=r"`model\.start`='frozen' needs `model\.source`"):
        train(config, tmp_path / "run")


def test_metrics_say_what_it_started_from(finished, source):
    model = json.loads((finished[1] / "metrics.json").read_text())["config"]["model"]
    assert model["source"] == source(3) and model["start"] == "fine-tuned"
    assert "my Colours" in json.loads((finished[1] / "config.json").read_text())["data"]["data_dir"]


@pytest.mark.sweep
def test_jax_trains_on_a_folder_without_tensorflow(source, tmp_path):
    pictures, run = write_pictures(tmp_path / "root"), tmp_path / "run"
    run_in_own_process(
        "import sys; from tests.training.without_tensorflow import block_tensorflow; "
        "block_tensorflow(); from tests.training.jax_own_pictures import main; main(*sys.argv[1:])",
        pictures,
        run,
        source(3),
        **ON_JAX,
        XLA_FLAGS=QUICK,
    )
    metrics = json.loads((run / "metrics.json").read_text())
    assert (metrics["backend"], metrics["train_examples"]) == ("jax", 21)
    assert keras.models.load_model(run / "model.keras").class_names == tuple(COLOURS)
    accuracy = evaluate_source(run, folder=pictures)["accuracy"]
    assert accuracy > 0.8  # chance is a third
    assert json.loads((run / "evaluated.json").read_text()) == accuracy
