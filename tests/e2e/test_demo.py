"""The demo is what a newcomer sees first: it ends as it promises, and the README shows what it prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIMIT = 55


@pytest.fixture(scope="module")
def played():
    """What the demo prints."""
    return play("demo")


def play(*arguments: str) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        [sys.executable, "-m", "reconciler.cli", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert done.stderr == ""
    return done.stdout


def test_it_shows_a_dry_run_an_apply_and_a_dry_run_with_nothing_left(played):
    lines = [line for line in played.splitlines() if line.startswith("reconcile: ")]
    assert [line.split(" (digest")[0] for line in lines] == [
        "reconcile: 1 to enable, 0 to change, 0 to disable, 4 blocked, 1 unknown, 0 held, 1 unchanged",
        (
            "reconcile: 1 enabled, 0 changed, 0 disabled, 0 failed, 0 not tried, 4 blocked, 1 unknown, "
            "0 held, 1 unchanged"
        ),
        "reconcile: 0 to enable, 0 to change, 0 to disable, 4 blocked, 1 unknown, 0 held, 2 unchanged",
    ]


@pytest.mark.parametrize(
    "check",
    ["withdraw-enabled", "ip-whitelist-lacks-egress", "permission-futures-missing", "connection-test"],
)
def test_every_kind_of_trouble_names_cause_and_fix(played, check):
    block = played[played.index(f" {check} ") :].split("\n\n")[0]
    assert "cause" in block
    assert "fix" in block


def test_the_screen_in_the_readme_is_what_it_prints(played):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    screen = re.search(r"<!-- screen -->\n```text\n(.*?)```\n<!-- /screen -->", readme, re.DOTALL)
    assert screen, "the README shows no screen"
    shown = {_timeless(line) for line in played.splitlines()}
    missing = [
        line for line in screen[1].splitlines() if line.strip() != "..." and _timeless(line) not in shown
    ]
    assert missing == []


def _timeless(line: str) -> str:
    """A line without what differs from day to day."""
    return re.sub(r"\d{4}-\d\d-\d\d(T[\d:]+Z)?|\([\d]+ days ago\)|[0-9a-f]{8,64}", "#", line).strip()


def test_all_ten_exchanges_are_online():
    printed = play("demo", "--all")
    assert printed.count("✓ Online") == 20, "ten in the dry run, ten in the apply"
    assert "reconcile: 10 enabled, 0 changed, 0 disabled, 0 failed" in printed
