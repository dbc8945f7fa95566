"""`benchmarks.http_serving`, without its servers: tests/formats/test_http_server.py runs them."""

import pytest

from benchmarks import http_serving


@pytest.mark.parametrize(("percent", "expected"), [(50, 2), (95, 9), (99, 9), (0, 1), (100, 9)])
def test_percentiles_of_counted_times(percent, expected):
    assert http_serving.percentile({9.0: 1, 1.0: 3, 2.0: 6}, percent) == expected


def test_the_table_has_a_row_for_each_load():
    times = {"50": 4, "95": 9, "99": 12}
    row = {"batch": 8, "clients": 4, "requests": 100, "per_second": 51.2, "milliseconds": times}
    lines = http_serving.markdown({"facts": {"date": "today"}, "results": [row]}).splitlines()
    assert lines[0] == "- date: today"
    assert lines[-1] == "| 8 | 4 | 51 | 4 | 9 | 12 |"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "none.onnx", "--picture", __file__], "`model` must be a file"),
        (["--model", __file__], "`picture` must be a file, got None"),
        (["--model", __file__, "--picture", __file__, "--clients", "0"], "`clients` must be"),
        (["--model", __file__, "--picture", __file__, "--json", "/no/x"], "`json` must be in"),
    ],
)
def test_bad_arguments_end_before_any_work(arguments, message, capsys):
    with pytest.raises(SystemExit) as end:
        http_serving.main(arguments)
    assert end.value.code == 2 and message in capsys.readouterr().err
