"""The README's Python blocks run, in order, as one program."""

import pathlib
import re

README = pathlib.Path(__file__).parents[1] / "README.md"


def test_the_python_blocks_run(tmp_path, monkeypatch):
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 2
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(blocks), str(README), "exec"), {"__name__": "readme"})
    assert (tmp_path / "mixer" / "saved_model.pb").exists()
