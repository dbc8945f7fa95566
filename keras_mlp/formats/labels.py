"""Names of classes inside the files of other runtimes, or beside them."""

import io
import zipfile
from collections.abc import Sequence

LABELS_FILE = "labels.txt"
_NO_DATE = (1980, 1, 1, 0, 0, 0)  # equal models give equal files


def label_lines(names: Sequence[str]) -> str:
    """The text of a file of labels: a name per line, in the order of the logits."""
    return "".join(f"{name}\n" for name in names)


def with_labels(content: bytes, names: Sequence[str] | None) -> bytes:
    """A LiteRT file with `labels.txt` appended as a zip archive, TensorFlow Lite's own convention.

    Runtimes ignore the archive; `unzip model.tflite` and `zipfile.ZipFile` read it.
    """
    if names is None:
        return content
    stream = io.BytesIO(content)
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr(zipfile.ZipInfo(LABELS_FILE, _NO_DATE), label_lines(names))
    return stream.getvalue()
