"""The commands that need no exchange start without the weight of those that do."""

from __future__ import annotations

import subprocess
import sys

import pytest

from reconciler.resources import folder
from reconciler.state.store import open_for_writing

HEAVY = ("ccxt", "aiohttp", "sqlalchemy", "psycopg", "rich")
PROBE = """
import sys
from reconciler.cli.entry import run
code = run({arguments!r})
print("LOADED", *sorted(m for m in sys.modules if m in {heavy!r}))
sys.exit(code)
"""


def loaded(*arguments: str) -> tuple[int, list[str]]:
    """The exit code, and which heavy packages were imported on the way."""
    code = PROBE.format(arguments=list(arguments), heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("LOADED"))
    return done.returncode, line.split()[1:]


def test_a_gate_imports_no_database_library_but_pythons_own(tmp_path):
    with open_for_writing(str(tmp_path / "state.db")):
        pass
    assert loaded("gate", "btc", "--state", str(tmp_path / "state.db")) == (1, [])


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("validate", "-f", str(folder("examples") / "connections.yaml")),
        ("validate", "--output", "sarif", "-f", str(folder("examples") / "connections.yaml")),
        ("validate", "--help"),
        ("gate", "--help"),
        ("explain", "withdraw-enabled"),
        ("textconv", str(folder("examples") / "sandbox.yaml")),
    ],
    ids=[
        "help",
        "version",
        "validate",
        "validate-sarif",
        "validate-help",
        "gate-help",
        "explain",
        "textconv",
    ],
)
def test_nothing_heavy_is_imported(arguments):
    assert loaded(*arguments) == (0, [])
