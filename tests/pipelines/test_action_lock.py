"""What the action installs is pinned, whole, and what the tests ran with."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def pins(text):
    return {
        name.lower().replace("_", "-"): version
        for name, version in re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE)
    }


LOCKED = pins((ROOT / "requirements" / "runtime.txt").read_text())
TESTED = pins((ROOT / "requirements" / "constraints.txt").read_text())


def test_everything_that_reconcile_names_is_locked_and_so_is_what_builds_it():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    assert {re.split(r"[<>=]", item)[0].lower() for item in named} <= set(LOCKED)


def test_the_versions_are_those_that_the_tests_run_with():
    assert {name: LOCKED[name] for name in LOCKED.keys() & TESTED.keys()} == {
        name: TESTED[name] for name in LOCKED.keys() & TESTED.keys()
    }
    # The build backend of the wheel and one package for Windows alone.
    assert LOCKED.keys() - TESTED.keys() == {"hatchling", "tomlkit", "trove-classifiers", "winloop"}


def test_every_package_has_hashes_and_none_comes_from_elsewhere():
    entries = re.split(r"\n(?=\w)", (ROOT / "requirements" / "runtime.txt").read_text())[1:]
    assert len(entries) == len(LOCKED)
    for entry in entries:
        assert "--hash=sha256:" in entry, entry.splitlines()[0]
    assert not re.search(r"://|^-", "\n".join(entries), re.MULTILINE)
