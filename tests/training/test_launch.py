"""Workers on one machine; test_recovery.py tests what happens when they die."""

import json
import os
import sys

import pytest

from training.launch import Cluster

_WRITE_CORES = """
import json, os, pathlib, sys
pathlib.Path(sys.argv[1]).write_text(json.dumps(list(os.sched_getaffinity(0))))
"""


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no such call here")
@pytest.mark.parametrize("count", [1, 2, 3])
def test_workers_share_the_cores_equally_where_there_are_enough(tmp_path, count):
    files = [tmp_path / str(index) for index in range(count)]
    cluster = Cluster([[sys.executable, "-c", _WRITE_CORES, str(file)] for file in files])
    cluster.end(60.0)
    shares = [set(json.loads(file.read_text())) for file in files]
    cores = os.sched_getaffinity(0)
    assert cluster.code() == 0
    if count > len(cores):
        assert shares == [cores] * count
    else:
        assert set.union(*shares) == cores
        assert sum(len(share) for share in shares) == len(cores)
        assert max(map(len, shares)) - min(map(len, shares)) <= 1
