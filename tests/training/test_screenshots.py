"""Pictures of a page: the browser is asked for the right ones, and its failures are one line."""

import stat

import PIL.Image
import pytest

from training.reports import screenshots

# Stands in for Chromium: writes a picture of the window, white or black as the scheme asks.
BROWSER = """#!{python}
import re, sys
import PIL.Image
words = dict(word.lstrip("-").split("=", 1) for word in sys.argv[1:] if "=" in word)
width, height = map(int, words["window-size"].split(","))
colour = "white" if "Scheme=1" in words["blink-settings"] else "black"
PIL.Image.new("RGB", (width, height), colour).save(words["screenshot"])
"""


def test_four_pictures_are_drawn(tmp_path, capsys):
    import sys

    browser, page = tmp_path / "browser", tmp_path / "report.html"
    browser.write_text(BROWSER.format(python=sys.executable))
    browser.chmod(stat.S_IRWXU)
    page.write_text("<p>")
    screenshots.main([str(page), "--output", str(tmp_path), "--browser", str(browser)])
    found = {}
    for line in capsys.readouterr().out.splitlines():
        with PIL.Image.open(line) as image:
            name = line.removeprefix(f"{tmp_path}/report_").removesuffix(".png")
            found[name] = image.size[0], image.convert("L").getpixel((0, 0))
    wide, phone = 1280, 390
    assert found == {
        "wide_light": (wide, 255),
        "wide_dark": (wide, 0),
        "phone_light": (phone, 255),
        "phone_dark": (phone, 0),
    }


@pytest.mark.parametrize(
    ("browser", "message"),
    [("no-such-browser", "There is no no-such-browser: install Chromium"), ("false", "failed")],
)
def test_a_browser_that_draws_nothing_is_one_line(browser, message, tmp_path):
    (tmp_path / "report.html").write_text("<p>")
    with pytest.raises(SystemExit, match=message) as stop:
        screenshots.main(
            [str(tmp_path / "report.html"), "--output", str(tmp_path), "--browser", browser]
        )
    assert "\n" not in str(stop.value)
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
