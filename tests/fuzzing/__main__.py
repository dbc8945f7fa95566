"""Runs the fuzzer and prints a table of what its inputs led to, as in docs/robustness.md:

python -m tests.fuzzing
python -m tests.fuzzing --only convert --show
"""

import argparse
import collections
import pathlib
import tempfile
import time

from tests.fuzzing.entry_points import ENTRY_POINTS, run_one
from tests.fuzzing.material import Material

KINDS = ("worked", "refused", "wrong")


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzzing",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", choices=ENTRY_POINTS, nargs="+", help="entry points")
    parser.add_argument("--show", action="store_true", help="print every input and its verdict")
    options = parser.parse_args(arguments)
    counts = {}
    with tempfile.TemporaryDirectory() as folder:
        material = Material(pathlib.Path(folder))
        for name in options.only or ENTRY_POINTS:
            counts[name] = collections.Counter()
            started = time.process_time()
            for number in range(ENTRY_POINTS[name][1]):
                text, verdict = run_one(name, number, material)
                counts[name][verdict.kind] += 1
                if options.show or verdict.kind == "wrong":
                    print(f"{verdict.kind}: {ascii(text)[1:-1]}\n    {ascii(verdict.why)[1:-1]}")
            counts[name]["seconds"] = round(time.process_time() - started)
    print(table(counts))


def table(counts):
    """Counts of verdicts by entry point, as Markdown."""
    rows = [
        (name, sum(row[kind] for kind in KINDS), *(row[kind] for kind in KINDS), row["seconds"])
        for name, row in counts.items()
    ]
    rows.append(("all", *(sum(row[column] for row in rows) for column in range(1, 6))))
    header = ("entry point", "inputs", *KINDS, "seconds")
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in (header, *rows)]
    return "\n".join([lines[0], "|---" + "|---:" * 5 + "|", *lines[1:]])


if __name__ == "__main__":
    main()
