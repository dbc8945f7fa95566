"""The Python blocks of docs/analysis.md run, in order, as one program."""

import pathlib
import re

DOCS = pathlib.Path(__file__).parents[2] / "docs" / "analysis.md"


def test_the_python_blocks_run(tmp_path, monkeypatch, capsys):
    text = DOCS.read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 2
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(blocks), str(DOCS), "exec"), {"__name__": "docs"})
    assert (tmp_path / "maps.png").exists()
    printed = capsys.readouterr().out
    shown = re.findall(r"^```\n(MLPMixer.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert shown and all(each in printed for each in shown)
