"""download against a real local server: a complete, checked file, or one error and no file."""

import hashlib
import inspect
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest

from keras_mlp.weights.download import cache_folder, download
from tests.weights.file_server import serving

CONTENT = np.random.default_rng(0).bytes(3_000_000)  # more than one block
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server():
    with serving(w=CONTENT) as running:
        yield running


def bring(server, folder, **arguments):
    arguments = {"sha256": DIGEST, "verbose": False, **arguments}
    return download(server.url("/w"), folder / "w.npz", **arguments)


def refusal(server, folder, path="/w", **arguments):
    """The message of the one error; it names the URL, the place and what to do."""
    arguments = {"sha256": DIGEST, "verbose": False, **arguments}
    with pytest.raises(OSError) as error:
        download(server.url(path), folder / "w.npz", **arguments)
    message = str(error.value)
    assert server.url(path) in message and "\n" not in message
    assert f"save it as {folder / 'w.npz'}" in message
    return message


@pytest.mark.parametrize("sha256", [DIGEST, DIGEST[:8], DIGEST.upper(), None])
def test_brings_a_file_once(server, sha256, tmp_path):
    folder = tmp_path / "new" / "cache"
    for _ in range(2):
        path = bring(server, folder, sha256=sha256)
        assert path == folder / "w.npz" and path.read_bytes() == CONTENT
    assert server.ranges == [None]
    assert [each.name for each in folder.iterdir()] == ["w.npz"]


def test_brings_an_empty_file(server, tmp_path):
    server.files["/w"] = b""
    assert bring(server, tmp_path, sha256=None).read_bytes() == b""


def test_takes_what_lies_there_without_a_network(tmp_path):
    (tmp_path / "w.npz").write_bytes(CONTENT)
    with serving() as gone:
        pass  # nothing listens on its port any more
    assert bring(gone, tmp_path).read_bytes() == CONTENT


def test_resumes_within_a_call(server, tmp_path):
    server.limits = [1000, 500]
    assert bring(server, tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=1000-", "bytes=1500-"]


def test_resumes_in_a_later_call(server, tmp_path):
    server.limits = [1000, 0, 500]
    assert f"ended after 1500 of {len(CONTENT)} bytes" in refusal(server, tmp_path)
    assert not (tmp_path / "w.npz").exists()
    assert bring(server, tmp_path).read_bytes() == CONTENT
    assert server.ranges[-1] == "bytes=1500-"


def test_starts_again_where_the_server_does_not_resume(server, tmp_path):
    server.resumes, server.limits = False, [1000]
    assert bring(server, tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=1000-"]


@pytest.mark.parametrize("left", [CONTENT, CONTENT + b"more"])
def test_knows_what_to_do_with_all_or_more_of_a_file(server, left, tmp_path):
    (tmp_path / "w.npz.part").write_bytes(left)
    assert bring(server, tmp_path).read_bytes() == CONTENT
    assert len(server.ranges) == (1 if left == CONTENT else 2)


def test_leaves_nothing_of_a_wrong_file(server, tmp_path):
    message = refusal(server, tmp_path, sha256="0" * 8)
    assert "not the published file (SHA-256 00000000...)" in message
    assert list(tmp_path.iterdir()) == []


def test_leaves_nothing_of_a_part_of_another_file(server, tmp_path):
    (tmp_path / "w.npz.part").write_bytes(b"something else")
    assert "not the published file" in refusal(server, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert bring(server, tmp_path).read_bytes() == CONTENT


def test_refuses_a_wrong_file_that_lies_there_and_leaves_it(server, tmp_path):
    path = tmp_path / "w.npz"
    path.write_bytes(b"something else")
    with pytest.raises(OSError, match=r"does not begin with .* Remove it to download it again"):
        bring(server, tmp_path)
    assert path.read_bytes() == b"something else" and server.ranges == []


def test_says_that_there_is_no_such_file(server, tmp_path):
    assert "the server answered 404 Not Found." in refusal(server, tmp_path, path="/v")
    assert server.ranges == [None]  # asking again would not help
    assert not (tmp_path / "w.npz").exists()


def test_says_that_nobody_answers(tmp_path):
    with serving() as gone:
        pass
    assert "Connection refused" in refusal(gone, tmp_path)


def test_says_that_the_folder_cannot_be_written(server, tmp_path):
    (tmp_path / "cache").write_text("a file in the place of the folder")
    assert "File exists" in refusal(server, tmp_path / "cache")
    message = refusal(server, tmp_path / "cache" / "deeper")
    assert "Not a directory" in message
    assert "Set `cache_dir`, or the environment variable KERAS_MLP_CACHE" in message
    assert server.ranges == []


def test_says_what_to_do_without_a_home_folder(monkeypatch):
    def no_home(path):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("KERAS_MLP_CACHE", raising=False)
    monkeypatch.setattr(pathlib.Path, "expanduser", no_home)
    with pytest.raises(ValueError, match=r"no home folder for .*KERAS_MLP_CACHE"):
        cache_folder()


def test_two_processes_bring_it_once(server, tmp_path):
    server.pause.clear()
    # Loads only this file, which needs just the standard library, because importing Keras is slow.
    command = (
        "import runpy, sys; download = runpy.run_path(sys.argv[1])['download'];"
        "download(sys.argv[2], sys.argv[3], sha256=sys.argv[4], verbose=False)"
    )
    file = inspect.getsourcefile(download)
    arguments = [sys.executable, "-c", command, file, server.url("/w"), tmp_path / "w.npz", DIGEST]
    processes = [subprocess.Popen(arguments) for _ in range(2)]
    while not server.ranges:
        time.sleep(0.05)
    time.sleep(1)  # enough time for the other to send a request, if it does
    server.pause.set()
    assert [process.wait(600) for process in processes] == [0, 0]
    assert (tmp_path / "w.npz").read_bytes() == CONTENT
    assert server.ranges == [None]
    assert [each.name for each in tmp_path.iterdir()] == ["w.npz"]


def test_shows_the_progress_unless_told_not_to(server, tmp_path, capsys):
    bring(server, tmp_path / "a")
    assert capsys.readouterr().err == ""
    bring(server, tmp_path / "b", verbose=True)
    captured = capsys.readouterr()
    assert captured.err.endswith("\rw.npz: 100% of 3.0 MB\n") and captured.out == ""


def test_the_folder_can_be_chosen(monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_MLP_CACHE", raising=False)
    assert cache_folder() == pathlib.Path.home() / ".keras" / "keras_mlp"
    monkeypatch.setenv("KERAS_MLP_CACHE", "~/weights")
    assert cache_folder() == pathlib.Path.home() / "weights"
    assert cache_folder(tmp_path) == tmp_path
