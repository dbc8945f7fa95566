"""Draws a report as a browser shows it, for the documentation:

    python -m training.reports.screenshots runs/digits/report.html --output docs/images

writes `NAME_wide_light.png`, `NAME_wide_dark.png`, `NAME_phone_light.png` and
`NAME_phone_dark.png`, where NAME is the name of the page. It needs Chromium, which runs without a
screen and without a network.
"""

from training.engine.interruption import end_on_ctrl_c

if __name__ == "__main__":
    end_on_ctrl_c()

import argparse
import html
import pathlib
import subprocess
import tempfile
from collections.abc import Sequence

import PIL.Image

from training.program_end import clear_end

# Width and height in CSS pixels.
SIZES = {"wide": (1280, 1500), "phone": (390, 1500)}
SCHEMES = {"light": 1, "dark": 0}  # Chromium's numbers
COLOURS = 200


def screenshots(
    page: pathlib.Path, output: pathlib.Path, browser: str = "chromium"
) -> list[pathlib.Path]:
    """Draws the top of a page in both colour schemes and widths.

    Args:
        page: path of an HTML file.
        output: existing folder of the pictures.
        browser: Chromium's command.

    Returns:
        The paths of the pictures.

    Raises:
        ValueError: the page or the folder does not exist, or the browser is missing or fails.
    """
    if not page.is_file():
        raise ValueError(f"`PAGE` {page} is not a file.")
    if not output.is_dir():
        raise ValueError(f"`--output` {output} is not a folder.")
    written = []
    for width, size in SIZES.items():
        for scheme, number in SCHEMES.items():
            path = output / f"{page.stem}_{width}_{scheme}.png"
            _draw(page.resolve(), path, size, number, browser)
            written.append(path)
    return written


def _draw(
    page: pathlib.Path, path: pathlib.Path, size: tuple[int, int], scheme: int, browser: str
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        # A frame has the width that is asked for; Chromium's windows have at least 500 pixels.
        frame, raw = pathlib.Path(scratch) / "frame.html", pathlib.Path(scratch) / "raw.png"
        frame.write_text(
            '<!DOCTYPE html><meta charset="utf-8">'
            "<style>:root { color-scheme: light dark } body { margin: 0 }</style>"
            f'<iframe src="{html.escape(page.as_uri())}" width="{size[0]}" height="{size[1]}" '
            'style="border: 0; display: block"></iframe>'
        )
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += [f"--user-data-dir={scratch}/profile", f"--screenshot={raw}"]
        command += [f"--window-size={max(size[0], 500)},{size[1]}"]
        command += [f"--blink-settings=preferredColorScheme={scheme}", frame.as_uri()]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        except FileNotFoundError:
            raise ValueError(
                f"There is no {browser}: install Chromium, or name its command by `--browser`."
            ) from None
        if done.returncode or not raw.is_file():
            reason = (done.stderr.strip().splitlines() or ["no picture"])[-1]
            raise ValueError(f"{browser} failed: {reason}")
        with PIL.Image.open(raw) as image:
            shown = image.convert("RGB").crop((0, 0, *size))
        shown.quantize(COLOURS, dither=PIL.Image.Dither.NONE).save(path, optimize=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.reports.screenshots",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("page", type=pathlib.Path, metavar="PAGE", help="an HTML file")
    parser.add_argument("--output", type=pathlib.Path, required=True, help="folder of the pictures")
    parser.add_argument("--browser", default="chromium", help="command of Chromium (chromium)")
    options = parser.parse_args(arguments)
    with clear_end(subprocess.TimeoutExpired):
        for path in screenshots(options.page, options.output, options.browser):
            print(path)


if __name__ == "__main__":
    main()
