"""The Python blocks of README and docs run, each page as one program."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
LEFT_BEHIND = {
    "README.md": "mixer/saved_model.pb",
    "docs/image_sizes.md": None,
    "docs/any_size.md": None,
}


@pytest.mark.parametrize("page", LEFT_BEHIND)
def test_the_python_blocks_run(page, tmp_path, monkeypatch):
    text = (ROOT / page).read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert blocks
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(blocks), page, "exec"), {"__name__": "page"})
    assert LEFT_BEHIND[page] is None or (tmp_path / LEFT_BEHIND[page]).exists()
