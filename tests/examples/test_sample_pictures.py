"""The folder of pictures to try programs with."""

from PIL import Image

from examples import sample_pictures


def test_three_classes_of_forty_squares(tmp_path, capsys):
    sample_pictures.main(["--output", str(tmp_path / "pictures")])
    assert capsys.readouterr().out.endswith("pictures: 40 flower, 40 portrait, 40 temple\n")
    files = sorted((tmp_path / "pictures").glob("*/*.jpg"))
    assert len(files) == 120
    for file in files[::20]:
        with Image.open(file) as image:
            assert image.size == (80, 80)
    assert len({file.read_bytes() for file in files}) == 120
