"""Tarballs: the same bytes for the same files, and nothing that leaves the folder."""

import gzip
import io
import os
import tarfile

import numpy as np
import pytest

from saved_models.archive import pack, unpack
from tests.full_disk import full_disk


def write_tarball(path, *members):
    """A .tar.gz of (name, content or change of the member) pairs."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if isinstance(content, dict):
                for key, value in content.items():
                    setattr(member, key, value)
                content = b""
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "files"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"index")
    return folder


def test_what_is_packed_comes_out_again(folder, tmp_path):
    pack(folder, tmp_path / "a.tar.gz")
    unpack(tmp_path / "a.tar.gz", tmp_path / "out")
    assert (tmp_path / "out" / "saved_model.pb").read_bytes() == b"graph"
    assert (tmp_path / "out" / "variables" / "variables.index").read_bytes() == b"index"
    with tarfile.open(tmp_path / "a.tar.gz") as archive:
        # Including folders: TF Hub's client does not create them itself.
        assert archive.getnames() == ["saved_model.pb", "variables", "variables/variables.index"]
        assert archive.getmember("variables").mode == 0o755


def test_the_same_files_give_the_same_bytes(folder, tmp_path):
    pack(folder, tmp_path / "a.tar.gz")
    for file in folder.rglob("*"):
        os.utime(file, (1, 1))
        file.chmod(0o700)
    pack(folder, tmp_path / "b.tar.gz")
    assert (tmp_path / "a.tar.gz").read_bytes() == (tmp_path / "b.tar.gz").read_bytes()
    (folder / "saved_model.pb").write_bytes(b"other")
    pack(folder, tmp_path / "b.tar.gz")
    assert (tmp_path / "a.tar.gz").read_bytes() != (tmp_path / "b.tar.gz").read_bytes()


def test_names_with_a_leading_dot_are_taken(tmp_path):
    members = [(".", {"type": tarfile.DIRTYPE}), ("./saved_model.pb", b"graph")]
    unpack(write_tarball(tmp_path / "a.tar.gz", *members), tmp_path / "out")
    assert (tmp_path / "out" / "saved_model.pb").read_bytes() == b"graph"


LINK = {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}
REFUSED = {
    "parent": ([("../evil", b"x")], "which leaves the folder"),
    "inner parent": ([("a/../../evil", b"x")], "which leaves the folder"),
    "absolute": ([("/tmp/evil", b"x")], "which leaves the folder"),
    "backslash": ([("..\\evil", b"x")], "which leaves the folder"),
    "symbolic link": ([("link", LINK)], "neither a file nor a folder"),
    "hard link": (
        [("a", b"x"), ("b", {"type": tarfile.LNKTYPE, "linkname": "a"})],
        "neither a file nor a folder",
    ),
    "device": ([("null", {"type": tarfile.CHRTYPE})], "neither a file nor a folder"),
    "pipe": ([("pipe", {"type": tarfile.FIFOTYPE})], "neither a file nor a folder"),
    "twice": ([("a", b"x"), ("./a", b"y")], "holds './a' twice"),
    "nothing": ([], "holds no file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_archive_that_would_escape_unpacks_nothing(case, tmp_path):
    members, message = REFUSED[case]
    path = write_tarball(tmp_path / "a.tar.gz", ("first", b"1"), *members)
    if not members:
        write_tarball(path)
    with pytest.raises(ValueError, match=message) as error:
        unpack(path, tmp_path / "out")
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    assert os.listdir(tmp_path) == ["a.tar.gz"]


@pytest.mark.parametrize("kind", ["file", "long name"])
def test_a_bomb_is_stopped(kind, tmp_path):
    path, size = tmp_path / "a.tar.gz", 4 * 2**20
    member = ("zeros", bytes(size)) if kind == "file" else ("n" * size, b"x")
    write_tarball(path, member)
    assert path.stat().st_size < size / 100
    with pytest.raises(ValueError, match="unpacks to more bytes"):
        unpack(path, tmp_path / "out", limit=2**20)
    assert os.listdir(tmp_path) == ["a.tar.gz"]


DAMAGES = {
    "truncated": lambda data: data[: len(data) // 2],
    "changed": lambda data: data[:40] + bytes([data[40] ^ 255]) + data[41:],
    "no archive": lambda data: b"text" * 20,
    "no tarball inside": lambda data: gzip.compress(b"text" * 500),
    "empty": lambda data: b"",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_archive_is_one_clear_error(damage, folder, tmp_path):
    path = tmp_path / "a.tar.gz"
    pack(folder, path)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.raises(ValueError, match=f"^{path} (cannot be unpacked: .+|holds no file.)$"):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def flipped(content, position):
    """The bytes with one bit changed."""
    damaged = bytearray(content)
    damaged[position // 8] ^= 1 << position % 8
    return bytes(damaged)


# In gzip's header: the flag "text", the date, the compression level and the operating system.
UNREAD = {3 * 8, *range(4 * 8, 10 * 8)}


def test_every_damage_to_a_bit_is_an_error(folder, tmp_path):
    rng = np.random.default_rng(0)
    (folder / "saved_model.pb").write_bytes(rng.bytes(10_000))
    path = tmp_path / "a.tar.gz"
    pack(folder, path)
    whole = path.read_bytes()
    header, trailer = range(10 * 8), range(8 * len(whole) - 64, 8 * len(whole))
    places = {*header, *trailer, *rng.choice(8 * len(whole), 300).tolist()} - UNREAD
    assert len(places) > 350
    for position in sorted(places):
        path.write_bytes(flipped(whole, position))
        with pytest.raises(ValueError, match=f"^{path} ") as error:
            unpack(path, tmp_path / "out")
        assert "\n" not in str(error.value)
        assert sorted(os.listdir(tmp_path)) == ["a.tar.gz", "files"]


def test_damage_to_what_nobody_reads_changes_nothing(folder, tmp_path):
    pack(folder, tmp_path / "a.tar.gz")
    for position in UNREAD:
        path = tmp_path / "b.tar.gz"
        path.write_bytes(flipped((tmp_path / "a.tar.gz").read_bytes(), position))
        unpack(path, tmp_path / str(position))
        pack(tmp_path / str(position), path)
        assert path.read_bytes() == (tmp_path / "a.tar.gz").read_bytes()


def test_something_after_the_end_is_an_error(folder, tmp_path):
    path = tmp_path / "a.tar.gz"
    pack(folder, path)
    with open(path, "ab") as stream:
        stream.write(b"more")
    with pytest.raises(ValueError, match="cannot be unpacked: Not a gzipped file"):
        unpack(path, tmp_path / "out")


def test_a_full_disk_is_not_called_damage(folder, tmp_path):
    (folder / "saved_model.pb").write_bytes(bytes(50_000))
    pack(folder, tmp_path / "a.tar.gz")
    message = f"^{tmp_path}/out cannot be written: File too large.$"
    with full_disk(), pytest.raises(OSError, match=message):
        unpack(tmp_path / "a.tar.gz", tmp_path / "out")
    assert sorted(os.listdir(tmp_path)) == ["a.tar.gz", "files"]


def test_nothing_is_replaced(folder, tmp_path):
    pack(folder, tmp_path / "a.tar.gz")
    with pytest.raises(FileExistsError, match="There is something at"):
        unpack(tmp_path / "a.tar.gz", folder)
