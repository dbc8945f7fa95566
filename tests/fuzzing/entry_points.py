"""All entry points, with the number of inputs for each in a sweep."""

import pathlib
import tempfile

from tests.fuzzing import calls, files, programs, sources, studies, views
from tests.fuzzing.draw import Draw
from tests.fuzzing.inputs import Verdict, judge

SEED = 0
_PARTS = (calls, views, files, sources, programs, studies)
ENTRY_POINTS = {name: entry for part in _PARTS for name, entry in part.ENTRY_POINTS.items()}


def run_one(name, number, material):
    """Makes and judges one input; the same one for the same name and number.

    Args:
        name: key of `ENTRY_POINTS`.
        number: of the input, from 0.
        material: a `Material`.

    Returns:
        The input as text, and its verdict.
    """
    make, _ = ENTRY_POINTS[name]
    with tempfile.TemporaryDirectory() as text:
        folder = pathlib.Path(text)
        (folder / "out").mkdir()
        given = make(Draw((SEED, name, number)), material, folder)
        verdict: Verdict = judge(given)
    return f"{name} {number}: {given.shown}".replace(text, "FOLDER"), verdict
