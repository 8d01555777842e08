"""Killed at any instant, the next pass converges: real passes, real shots, generated worlds.

``driver.py`` beside this does it, each shard in a process of its own; it tells what it counts as a crash
point and which laws hold. ``CRASH_POINTS`` sets how many there are in all, ``CRASH_SEED`` where the
worlds come from: the same in every run unless set, so that what fails here fails again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

POINTS = int(os.environ.get("CRASH_POINTS", "2000"))
SEED = os.environ.get("CRASH_SEED", "ci")
#: Each takes the time of one test of pytest-xdist; a server's databases cost more than files.
SHARDS = 6
ON_SERVER = POINTS // 20
SHARE = -(-(POINTS - ON_SERVER) // SHARDS)

#: Seconds for one point, of which a tenth is usual.
PATIENCE = 1.0


def shoot(folder: Path, shard: str, points: int, *options: str) -> dict:
    """What the driver counted. Its own words, with the seed, where a law was broken."""
    command = [sys.executable, str(Path(__file__).with_name("driver.py")), "--folder", str(folder)]
    command += ["--seed", f"{SEED}-{shard}", "--points", str(points), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr[-8000:]
    return json.loads(done.stdout)


def assert_enough(told: dict, points: int) -> None:
    assert told["killed"] >= points
    assert sum(told["by"].values()) == told["killed"]
    assert told["acts"] > told["chains"], "most worlds had nothing to do"
    assert {"act", "clock", "commit", "moment", "read", "released", "sql"} <= set(told["by"])


def test_there_are_enough_of_them():
    assert max(POINTS, 2000) <= SHARDS * SHARE + ON_SERVER


@pytest.mark.timeout(60 + SHARE * PATIENCE)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_killed_anywhere_the_next_pass_converges(shard, tmp_path):
    told = shoot(tmp_path, str(shard), SHARE)
    assert_enough(told, SHARE)


@pytest.mark.timeout(60 + ON_SERVER * PATIENCE * 3)
def test_killed_anywhere_beside_a_server_the_next_pass_converges(tmp_path, postgres):
    told = shoot(tmp_path, "server", ON_SERVER, "--server", postgres.url("{}"))
    assert_enough(told, ON_SERVER)
