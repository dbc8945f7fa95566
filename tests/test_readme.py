"""The blocks of README and docs run, each page as one program."""

import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
# What a page leaves in the folder.
LEFT_BEHIND = {"docs/models.md": "small.keras", "docs/export.md": "mixer/saved_model.pb"}
# Their own tests run two of them; the third quotes methods of classes.
TESTED_ELSEWHERE = {"docs/analysis.md", "docs/serving.md", "docs/families.md"}


def blocks_of(page, *languages):
    """Pairs (language, code) of the blocks of a page, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [(language, code) for language, code in blocks if language in languages]


PAGES = [
    f"docs/{path.name}"
    for path in sorted((ROOT / "docs").glob("*.md"))
    if blocks_of(f"docs/{path.name}", "python")
]


@pytest.mark.sweep
@pytest.mark.parametrize("page", [page for page in PAGES if page not in TESTED_ELSEWHERE])
def test_the_python_blocks_run(page, tmp_path, monkeypatch):
    blocks = [code for _, code in blocks_of(page, "python")]
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(blocks), page, "exec"), {"__name__": "page"})
    assert (tmp_path / LEFT_BEHIND.get(page, "")).exists()


def test_the_pages_that_teach_have_blocks():
    assert {"docs/start.md", "docs/finetuning.md", "docs/image_sizes.md", *LEFT_BEHIND} <= {*PAGES}


def git(*words, cwd=ROOT):
    done = subprocess.run(["git", *words], cwd=cwd, capture_output=True, text=True, check=True)
    return done.stdout


def as_program(blocks):
    """All blocks as one Python program: those of the shell in processes of their own."""
    lines = ["import subprocess"]
    for language, code in blocks:
        if language == "bash":
            code = f"subprocess.run(['bash', '-ec', {code!r}], check=True)"
        lines.append(code)
    return "\n".join(lines)


@pytest.mark.sweep
def test_the_readme_runs_in_order_and_leaves_the_checkout_clean(tmp_path):
    """In a copy of the checkout's files, which has what a fresh clone has and nothing else."""
    before = git("status", "--porcelain")
    copy = tmp_path / "checkout"
    for name in git("ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0"):
        if name and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    blocks = blocks_of("README.md", "python", "bash")
    assert {language for language, _ in blocks} == {"python", "bash"} and len(blocks) >= 5
    (tmp_path / "blocks.py").write_text(as_program(blocks), encoding="utf-8")
    environment = {
        "PATH": f"{pathlib.Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(copy),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    done = subprocess.run(
        [sys.executable, "-u", tmp_path / "blocks.py"],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,  # machines are busy
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "horse" in done.stdout.splitlines()
    for name in (
        "tuned.keras",
        "pictures/0/0.png",
        "runs/pictures/model.keras",
        "runs/digits/report.html",
    ):
        assert (copy / name).exists(), name
    assert git("status", "--porcelain") == before


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_every_other_block_of_the_readme_needs_a_network_or_an_environment():
    lines = [line for _, block in blocks_of("README.md", "") for line in block.splitlines()]
    assert lines and all(line.startswith(("make ", "python -m pip ")) for line in lines)
