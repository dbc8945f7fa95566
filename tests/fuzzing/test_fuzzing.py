"""1,000 inputs over all entry points: each works, or is refused with a message that helps.

`make test` runs the first inputs of each entry point, `make test-all` all of them. They are the
same in every run. `python -m tests.fuzzing --only NAME --show` prints what each one led to.
"""

import pytest

from tests.fuzzing.draw import Draw
from tests.fuzzing.entry_points import ENTRY_POINTS, run_one
from tests.fuzzing.inputs import Input, Verdict, judge
from tests.fuzzing.material import Material

SHARE = 10  # one input in so many in `make test`


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    return Material(tmp_path_factory.mktemp("material"))


def wrong(name, numbers, material):
    """The inputs that were wrong, with the reasons, as text."""
    judged = (run_one(name, number, material) for number in numbers)
    return [f"{text}\n{verdict.why}" for text, verdict in judged if verdict.kind == "wrong"]


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_works_or_is_refused(name, material):
    assert not wrong(name, range(-(-ENTRY_POINTS[name][1] // SHARE)), material)


@pytest.mark.sweep
@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_each_of_many_works_or_is_refused(name, material):
    assert not wrong(
        name, range(-(-ENTRY_POINTS[name][1] // SHARE), ENTRY_POINTS[name][1]), material
    )


def test_there_are_a_thousand_inputs():
    assert sum(count for _, count in ENTRY_POINTS.values()) >= 1000


def test_equal_seeds_draw_equal_values():
    one, other = ([repr(Draw(seed).wild()) for seed in range(50)] for _ in range(2))
    assert one == other and len(set(one)) > 20


def raises(error):
    def call():
        raise error

    return call


def ends(code):
    return raises(SystemExit(code))


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"call": int}, "worked"),
        ({"call": raises(ValueError("`a` is wrong"))}, "refused"),
        ({"call": raises(ValueError("something is wrong"))}, "wrong"),
        ({"call": raises(ValueError("`a` is\nwrong"))}, "wrong"),
        ({"call": raises(ValueError("`a`" * 2000))}, "wrong"),
        ({"call": raises(KeyError("`a`"))}, "wrong"),
        ({"call": raises(RuntimeWarning("`a`"))}, "wrong"),
        ({"call": int, "right": lambda result: pytest.fail.Exception}, "worked"),
        ({"call": ends("error: `a`"), "program": True}, "refused"),
        ({"call": ends(1), "program": True}, "wrong"),
        ({"call": ends(3), "program": True}, "wrong"),
        ({"call": ends(0), "program": True}, "worked"),
        ({"call": raises(OSError("`a`")), "program": True}, "wrong"),
    ],
)
def test_the_judge_tells_them_apart(given, kind):
    assert judge(Input(shown="call()", named=["`a`"], **given)).kind == kind


def test_the_judge_sees_a_wrong_result_a_change_and_leftovers(tmp_path):
    def refuses(result):
        raise AssertionError("not 0")

    assert judge(Input(int, "int()", right=refuses)) == Verdict(
        "wrong", "the result is wrong: not 0"
    )
    values = [1]
    changed = judge(Input(lambda: values.append(2), "append", unchanged=[values]))
    assert changed == Verdict("wrong", "changed what it was given")

    def leave():
        (tmp_path / ".new.partial").touch()

    left = judge(Input(leave, "leave", output=tmp_path))
    assert left == Verdict("wrong", "left '.new.partial' behind")
