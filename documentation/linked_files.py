"""Files of the repository as pages of the site, and links between them."""

import json
import pathlib
import posixpath
import re

ROOT = pathlib.Path(__file__).parents[1]
_LINK = re.compile(r"(!?\[[^\]\n]*\]\()([^)\s#]+)(#[^)\s]*)?(\))")
_CODE = {".py": "python", ".json": "json", ".html": "html", ".mjs": "javascript"}
_HOME = "README.md"


class LinkedFiles:
    """Which file of the repository is which page of the site.

    Files in docs/ are pages, or pictures, as they are, and the README is the home page. Any other
    file that a page links to becomes a page in source/, and a folder a page that lists its files.
    """

    def pages(self, start: list[str]) -> dict[str, str]:
        """The pages that are not in docs/, by their path in the site.

        Args:
            start: paths of files of the repository that become pages even if no page links to
                them. The links of all pages are followed.
        """
        waiting = [*start, *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
        made: dict[str, str] = {}
        seen = set(waiting)
        while waiting:
            path = waiting.pop()
            text = _as_markdown(path)
            if not path.startswith("docs/") or (ROOT / path).is_dir():
                made[self.page_of(path)] = text
            found = {self._target(link, path) for link in _links(text)}
            new = {each for each in found if each and not _is_asset(each)} - seen
            seen |= new
            waiting += sorted(new)
        return made

    def with_links(self, markdown: str, src_uri: str) -> str:
        """The text of a page with links to pages of the site.

        Args:
            markdown: of the page, with links between files of the repository.
            src_uri: path of the page in the site.
        """
        here = self._file_of(src_uri)

        def rewritten(match: re.Match[str]) -> str:
            target = self._target(match[2], here)
            if target is None:
                return match[0]
            link = posixpath.relpath(self.page_of(target), posixpath.dirname(src_uri) or ".")
            return f"{match[1]}{link}{match[3] or ''}{match[4]}"

        return _LINK.sub(rewritten, markdown)

    def page_of(self, path: str) -> str:
        """The path in the site of a file or folder of the repository."""
        if path == _HOME:
            return "index.md"
        is_folder = (ROOT / path).is_dir()
        if path.startswith("docs/") and not is_folder:
            return path.removeprefix("docs/")
        page = f"{path}/index.md" if is_folder else path
        return f"source/{page if page.endswith('.md') else f'{page}.md'}"

    def _file_of(self, src_uri: str) -> str:
        if src_uri == "index.md":
            return _HOME
        if not src_uri.startswith("source/"):
            return f"docs/{src_uri}"
        path = src_uri.removeprefix("source/")
        candidates = (path, path.removesuffix(".md"), f"{posixpath.dirname(path)}")
        return next(each for each in candidates if (ROOT / each).exists())

    def _target(self, link: str, path: str) -> str | None:
        """The file or folder of the repository that a link of a file points at, if any."""
        if ":" in link or link.startswith("/"):
            return None
        folder = path if (ROOT / path).is_dir() else posixpath.dirname(path)
        target = posixpath.normpath(posixpath.join(folder, link))
        if target.startswith("..") or not (ROOT / target).exists():
            return None
        has_readme = (ROOT / target / _HOME).is_file()
        return posixpath.join(target, _HOME) if has_readme else target


def _links(markdown: str) -> list[str]:
    return [match[2] for match in _LINK.finditer(markdown)]


def _is_asset(path: str) -> bool:
    """Whether mkdocs copies a file as it is: what is in docs/ and is not a page."""
    is_page = path.endswith(".md") or (ROOT / path).is_dir()
    return path.startswith("docs/") and not is_page


def _as_markdown(path: str) -> str:
    file = ROOT / path
    if file.is_dir():
        return _listing(path)
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".md":
        return text
    if file.suffix == ".ipynb":
        return _notebook(text)
    return f"# {file.name}\n\n`{path}`\n\n{_fenced(text, _CODE.get(file.suffix, ''))}\n"


def _listing(path: str) -> str:
    files = sorted(each.name for each in (ROOT / path).iterdir() if each.is_file())
    lines = [f"- [{name}]({name})" if name.endswith(".py") else f"- `{name}`" for name in files]
    return f"# {path}\n\n" + "\n".join(lines) + "\n"


def _notebook(text: str) -> str:
    parts = []
    for cell in json.loads(text)["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else _fenced(source, "python"))
    return "\n\n".join(parts) + "\n"


def _fenced(text: str, language: str) -> str:
    return f"````{language}\n{text.rstrip()}\n````"
