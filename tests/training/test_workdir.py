"""The folder of a run: claimed by one config, used by one process."""

import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys

import pytest

from training.engine import folder_lock
from training.engine.workdir import Workdir


def trained(path, config):
    """Claims a folder and leaves a point of a learning curve in it."""
    folder = Workdir(path, config)
    folder.append_history({"step": 1, "seconds": 1.0})


def test_the_same_config_may_come_back(tmp_path, config):
    Workdir(tmp_path / "run", config)
    Workdir(tmp_path / "run", config)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["epochs"] == config.epochs


def test_another_config_is_refused_by_the_keys_that_differ(tmp_path, config, change):
    trained(tmp_path, config)
    with pytest.raises(
        ValueError, match=r"optimizer\.learning_rate: 0\.005 there, 0\.1 here"
    ) as error:
        Workdir(tmp_path, change(optimizer={"learning_rate": 0.1}))
    assert "epochs" not in str(error.value)


@pytest.mark.parametrize(("accept", "is_named"), [(None, False), (False, True)])
def test_accept_changes_is_named_where_it_exists(accept, is_named, tmp_path, config, change):
    trained(tmp_path, config)
    with pytest.raises(ValueError, match="Choose another folder") as error:
        Workdir(tmp_path, change(epochs=9), accept_changes=accept)
    assert ("`--accept-changes`" in str(error.value)) == is_named


@pytest.mark.parametrize("inside", [".", "MLPMixer/seed0"])
@pytest.mark.parametrize("result", ["history.jsonl", "metrics.json", "checkpoints/step-3.npz"])
def test_only_a_folder_with_a_result_is_claimed(inside, result, tmp_path, config, change):
    Workdir(tmp_path, change(epochs=9)).read_history(0)
    Workdir(tmp_path, config).read_history(0)
    assert json.loads((tmp_path / "config.json").read_text())["epochs"] == config.epochs
    file = tmp_path / inside / result
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("something")
    with pytest.raises(ValueError, match="holds a run of another config"):
        Workdir(tmp_path, change(epochs=9))


def test_a_folder_in_use_is_refused_and_its_process_named(tmp_path, config, change):
    with Workdir(tmp_path, config):
        with pytest.raises(ValueError, match=r"is in use by process") as error:
            Workdir(tmp_path, change(epochs=9), accept_changes=True)
        owner = rf"process {os.getpid()} on {socket.gethostname()} since 20\d\d-\d\d-\d\d "
        assert re.search(owner, str(error.value)) and "\n" not in str(error.value)
        assert json.loads((tmp_path / "config.json").read_text())["epochs"] == config.epochs
        Workdir(tmp_path, config, chief=False)  # a worker of the same cluster
    assert not (tmp_path / folder_lock.LOCK_FILE).exists()
    Workdir(tmp_path, config)


def test_a_killed_process_leaves_no_lock(tmp_path, config):
    code = (
        "import pathlib, sys, time\n"
        "from training.engine.folder_lock import FolderLock\n"
        "lock = FolderLock(pathlib.Path(sys.argv[1]))\n"
        "print('locked', flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout.readline() == "locked\n"
        with pytest.raises(ValueError, match=f"in use by process {owner.pid} on "):
            Workdir(tmp_path, config)
        owner.send_signal(signal.SIGKILL)
    assert (tmp_path / folder_lock.LOCK_FILE).exists()
    Workdir(tmp_path, config)


def test_a_file_system_without_locks_is_a_warning(tmp_path, config, monkeypatch, caplog):
    def refuse(*args, **kwargs):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(folder_lock, "lock_file", refuse)
    Workdir(tmp_path, config)
    assert "cannot be locked" in caplog.text and "No locks available" in caplog.text


def test_what_killed_writers_left_is_removed(tmp_path, config):
    left = [
        tmp_path / "checkpoints" / f".step-3.npz.{'0' * 32}.partial",
        tmp_path / f".model.keras.{'f' * 32}.partial",
    ]
    for workshop in left:
        workshop.mkdir(parents=True)
        (workshop / "lock").touch()
    Workdir(tmp_path, config)
    assert not any(workshop.exists() for workshop in left)


def test_an_empty_path_is_refused(config, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="`--workdir` must not be empty"):
        Workdir("", config)
    assert not list(tmp_path.iterdir())


def test_another_config_may_be_accepted_and_is_then_the_folder_s(tmp_path, change):
    other = change(optimizer={"learning_rate": 0.1})
    trained(tmp_path, change())
    Workdir(tmp_path, other, accept_changes=True)
    Workdir(tmp_path, other)
    assert json.loads((tmp_path / "config.json").read_text())["optimizer"]["learning_rate"] == 0.1


def test_only_the_chief_writes(tmp_path, config):
    worker = Workdir(tmp_path / "run", config, chief=False)
    worker.append_history({"step": 1})
    assert worker.read_history(1) == [] and not worker.path.exists()


def test_an_unwritable_folder_is_one_clear_error(tmp_path, config):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ValueError, match=r"`--workdir` .* cannot be written to") as error:
        Workdir(file / "run", config)
    assert "\n" not in str(error.value)


def test_history_is_cut_at_the_restored_step(tmp_path, config):
    folder = Workdir(tmp_path, config)
    for step in (10, 20, 30):
        folder.append_history({"step": step, "seconds": step / 10})
    with open(tmp_path / "history.jsonl", "a", encoding="utf-8") as file:
        file.write('{"step": 40, "seco')  # killed while writing
    assert [entry["step"] for entry in folder.read_history(20)] == [10, 20]
    assert [entry["step"] for entry in folder.read_history(99)] == [10, 20]


def test_a_constructor_argument_that_is_gone_is_a_difference(tmp_path, change):
    trained(tmp_path, change(model={"arguments": {"patch_size": 7}}))
    with pytest.raises(ValueError, match=r"\(model\.arguments\.patch_size: 7 there, absent here\)"):
        Workdir(tmp_path, change(model={"arguments": {}}))


def test_a_folder_made_before_a_key_existed_goes_on_with_its_default(tmp_path, change):
    trained(tmp_path, change())
    stored = json.loads((tmp_path / "config.json").read_text())
    del stored["optimizer"]["ema"]
    (tmp_path / "config.json").write_text(json.dumps(stored))
    with pytest.raises(ValueError, match=r"\(optimizer\.ema: 0\.0 there, 0\.9 here\)"):
        Workdir(tmp_path, change(optimizer={"ema": 0.9}))
    Workdir(tmp_path, change())


def test_a_subset_from_before_the_draw_is_not_continued_with_another(tmp_path, change):
    first = {"examples_per_class": 5, "subset_seed": None}
    trained(tmp_path, change(data=first))
    stored = json.loads((tmp_path / "config.json").read_text())
    del stored["data"]["subset_seed"]
    (tmp_path / "config.json").write_text(json.dumps(stored))
    with pytest.raises(ValueError, match=r"\(data\.subset_seed: None there, 0 here\)"):
        Workdir(tmp_path, change(data={"examples_per_class": 5}))
    Workdir(tmp_path, change(data=first))


@pytest.mark.parametrize("text", ["", "{", "[]", "3"])
def test_a_damaged_config_is_named_with_the_way_out(text, tmp_path, config):
    trained(tmp_path, config)
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match=r"config\.json is damaged: .*Remove it") as error:
        Workdir(tmp_path, config)
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)
    (tmp_path / "config.json").unlink()
    Workdir(tmp_path, config)


@pytest.mark.parametrize("line", ["{", "3", "{}", '{"step": "one", "seconds": 1.0}'])
def test_a_damaged_learning_curve_is_named_with_the_way_out(line, tmp_path, config):
    folder = Workdir(tmp_path, config)
    folder.append_history({"step": 10, "seconds": 1.0})
    with open(tmp_path / "history.jsonl", "a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    with pytest.raises(ValueError, match=r"history\.jsonl is damaged: .*Remove it"):
        folder.read_history(20)
