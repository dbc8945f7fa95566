"""Files and folders appear whole or not at all, with the mode of `open`, and no leftovers."""

import errno
import os
import pathlib
import signal
import subprocess
import sys

import pytest
import safetensors

from keras_mlp import whole_files
from keras_mlp.whole_files import (
    check_replaceable,
    whole_file,
    whole_folder,
    write_bytes,
    write_errors,
    write_text,
)
from tests.full_disk import full_disk
from tests.own_process import ROOT


def names(folder):
    return sorted(os.listdir(folder))


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    file = tmp_path / "file.txt"
    write_text(file, "old")
    with pytest.raises(RuntimeError), whole_file(file) as new:
        new.write_text("half")
        raise RuntimeError
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_failed_write_leaves_the_old_folder_and_nothing_else(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").touch()
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "folder") as new:
        (new / "half").touch()
        raise RuntimeError
    assert names(tmp_path) == ["folder"] and names(tmp_path / "folder") == ["old"]


def test_text_is_utf_8_whatever_the_locale(tmp_path):
    write_text(tmp_path / "a.txt", "größer")
    assert (tmp_path / "a.txt").read_bytes() == "größer".encode()


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_mode_of_open(umask, tmp_path):
    before = os.umask(umask)
    try:
        (tmp_path / "open").touch()
        with whole_file(tmp_path / "whole") as new:
            os.close(os.open(new, os.O_CREAT, 0o600))  # as safetensors and `tempfile` do
        (tmp_path / "mkdir").mkdir()
        with whole_folder(tmp_path / "folder"):
            pass
    finally:
        os.umask(before)
    mode = {name: (tmp_path / name).stat().st_mode & 0o777 for name in names(tmp_path)}
    assert mode["whole"] == mode["open"] == 0o666 & ~umask
    assert mode["folder"] == mode["mkdir"] == 0o777 & ~umask


def test_a_replaced_file_keeps_its_mode(tmp_path):
    write_text(tmp_path / "secret", "old")
    (tmp_path / "secret").chmod(0o640)
    write_text(tmp_path / "secret", "new")
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o640


def test_a_writer_sees_the_suffix(tmp_path):
    with whole_file(tmp_path / "model.keras") as new:
        assert new.suffix == ".keras"
        new.touch()


# Enters the package without its own imports, which take seconds.
KILLED = """
import os, pathlib, sys, types

sys.modules["keras_mlp"] = types.ModuleType("keras_mlp")
sys.modules["keras_mlp"].__path__ = ["keras_mlp"]
from keras_mlp import whole_files

path = pathlib.Path(sys.argv[1])
if sys.argv[2] == "swap":
    def rename(source, target, original=pathlib.Path.rename):
        original(source, target)
        os.kill(os.getpid(), 9)  # once the old folder is out of the way
    pathlib.Path.rename = rename
writer = whole_files.whole_file if sys.argv[2] == "file" else whole_files.whole_folder
with writer(path) as new:
    if new.is_dir():
        new = new / "part"
    new.write_text("half")
    if sys.argv[2] == "live":
        print("writing", flush=True)
        input()
    if sys.argv[2] != "swap":
        os.kill(os.getpid(), 9)
"""


def start(path, kind):
    line = [sys.executable, "-c", KILLED, str(path), kind]
    return subprocess.Popen(
        line, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_the_next_writer_removes_what_a_killed_one_left(tmp_path):
    for kind in ("file", "folder"):
        writer = start(tmp_path / kind, kind)
        writer.communicate()
        assert writer.returncode == -signal.SIGKILL
    assert len(names(tmp_path)) == 2
    write_text(tmp_path / "file", "whole")
    with whole_folder(tmp_path / "folder"):
        pass
    assert names(tmp_path) == ["file", "folder"]


def test_the_work_of_a_live_writer_is_left_alone(tmp_path):
    writer = start(tmp_path / "folder", "live")
    assert writer.stdout.readline() == "writing\n"
    with whole_folder(tmp_path / "folder") as new:
        (new / "mine").touch()
    assert len(names(tmp_path)) == 2
    writer.kill()
    writer.communicate()
    with whole_folder(tmp_path / "folder"):
        pass
    assert names(tmp_path) == ["folder"]


def test_an_old_folder_whose_replacement_was_killed_comes_back(tmp_path):
    path = tmp_path / "folder"
    with whole_folder(path) as new:
        (new / "precious").write_text("years of work")
    writer = start(path, "swap")
    writer.communicate()
    assert writer.returncode == -signal.SIGKILL and not path.exists()
    with pytest.raises(RuntimeError), whole_folder(path):
        raise RuntimeError
    assert names(tmp_path) == ["folder"]
    assert (path / "precious").read_text() == "years of work"


def test_an_old_folder_that_cannot_be_moved_back_is_kept(tmp_path, monkeypatch):
    path = tmp_path / "folder"
    with whole_folder(path) as new:
        (new / "precious").write_text("years of work")

    def rename(source, target, original=pathlib.Path.rename):
        if target == path:
            raise PermissionError(errno.EACCES, "Permission denied")
        original(source, target)

    with monkeypatch.context() as patch, pytest.raises(PermissionError), whole_folder(path):
        patch.setattr(pathlib.Path, "rename", rename)
    (kept,) = tmp_path.rglob("precious")
    assert kept.read_text() == "years of work"
    with pytest.raises(RuntimeError), whole_folder(path):
        raise RuntimeError
    assert (path / "precious").exists() and names(tmp_path) == ["folder"]


def test_names_that_only_look_like_a_leftover_stay(tmp_path):
    for name in (".a.partial", ".a.b.0123456789abcdef0123456789abcdef.partial", ".a.txt.partial"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "lock").touch()
    before = names(tmp_path)
    write_text(tmp_path / "a", "")
    assert names(tmp_path) == sorted([*before, "a"])


def test_a_leftover_that_cannot_be_locked_stays(tmp_path, monkeypatch):
    start(tmp_path / "file", "file").communicate()

    def refuse(*args, **kwargs):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(whole_files, "lock_file", refuse)
    write_text(tmp_path / "file", "whole")
    assert len(names(tmp_path)) == 2 and (tmp_path / "file").read_text() == "whole"


def test_a_folder_that_is_not_there_is_named(tmp_path):
    for write in (whole_file, whole_folder):
        with (
            pytest.raises(FileNotFoundError, match=f"^Cannot write in {tmp_path}/no: No such fil"),
            write(tmp_path / "no" / "a"),
        ):
            pass


FULL = [
    OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    OSError(errno.EFBIG, os.strerror(errno.EFBIG), "/elsewhere"),
    safetensors.SafetensorError("Io(StorageFull)\nat some line"),
]


@pytest.mark.parametrize("error", FULL, ids=str)
def test_a_full_disk_names_the_file_and_keeps_the_cause(error, tmp_path):
    path = tmp_path / "weights.safetensors"
    with (
        pytest.raises(OSError, match=f"^{path} cannot be written: ") as raised,
        whole_file(path, safetensors.SafetensorError),
    ):
        raise error
    assert raised.value.__cause__ is error and "\n" not in str(raised.value)
    assert raised.value.errno == getattr(error, "errno", None)
    assert names(tmp_path) == []


def test_a_full_disk_in_a_folder_names_the_folder(tmp_path):
    with (
        pytest.raises(OSError, match=f"^{tmp_path}/out cannot be written: No space left on dev"),
        whole_folder(tmp_path / "out") as new,
        whole_file(new / "inner"),
    ):
        raise FULL[0]
    assert names(tmp_path) == []


def test_other_errors_in_a_folder_s_block_pass_as_they_are(tmp_path):
    error = FileNotFoundError(errno.ENOENT, "No such file", "/elsewhere")
    with pytest.raises(FileNotFoundError) as raised, whole_folder(tmp_path / "out"):
        raise error
    assert raised.value is error


def test_errors_that_are_not_of_the_writer_pass_as_they_are(tmp_path):
    with pytest.raises(KeyError, match="x"), write_errors(tmp_path, ValueError):
        raise KeyError("x")


def test_a_real_limit_is_an_error_that_names_the_file(tmp_path):
    too_large = pytest.raises(OSError, match=f"^{tmp_path}/a cannot be written: File too large.$")
    with full_disk(), too_large:
        write_bytes(tmp_path / "a", bytes(2000))
    assert names(tmp_path) == []


def test_what_is_there_is_replaced_only_if_it_may_be(tmp_path):
    check = (pathlib.Path.is_file, "is not a file")
    check_replaceable(tmp_path / "absent", False, *check)
    (tmp_path / "file").touch()
    check_replaceable(tmp_path / "file", True, *check)
    with pytest.raises(FileExistsError, match=r"file already; `overwrite` is False\.$"):
        check_replaceable(tmp_path / "file", False, *check)
    with pytest.raises(FileExistsError, match=r"file already; see `--overwrite`\.$"):
        check_replaceable(tmp_path / "file", False, *check, option="--overwrite")
    with pytest.raises(FileExistsError, match="is not a file: `overwrite` replaces nothing else"):
        check_replaceable(tmp_path, True, *check)
