"""Every error becomes a message and an exit code; nothing becomes a traceback."""

from __future__ import annotations

import subprocess
import sys

import pytest

from reconciler.cli.entry import run
from reconciler.model.errors import ExitCode, most_urgent


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder with no configuration in it."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["nope"], 3, "No such command"),
        (["--output", "xml"], 3, "'xml' is not one of"),
        (["--dry-run", "--yes"], 3, "--dry-run changes nothing"),
        (["--dry-run", "--plan", "x"], 3, "--dry-run changes nothing"),
        (["--out", "x"], 3, "add --dry-run"),
        (["--detailed-exitcode"], 3, "add --dry-run"),
        (["--dry-run", "-f", "missing.yaml"], 3, "missing.yaml"),
        (["--dry-run"], 3, "no configuration"),
        (["--plan", "missing.json"], 3, "missing.json"),
        (["explain", "withdraw"], 3, "withdraw-enabled"),
        (["sandbox", "--scenario", "missing.yaml"], 3, "missing.yaml"),
        (["sandbox", "--port", "mexc"], 3, "NAME=PORT"),
        (["check", "--endpoint", "mexc=http://example.com", "-f", "x"], 3, "in clear to another machine"),
        (["--dry-run", "--output-file", "xml=a", "-f", "x"], 3, "FORMAT=PATH"),
    ],
)
def test_a_wrong_command_line(arguments, code, says, capsys):
    assert run(arguments) == code
    shown = capsys.readouterr()
    assert says in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""


def test_help_and_version_are_no_errors(capsys):
    assert run(["--help"]) == 0
    assert run(["--version"]) == 0
    assert "Exit codes:" in capsys.readouterr().out


def test_a_crash_shows_where_but_not_what(monkeypatch, capsys):
    def crash(*_args, **_kwargs):
        raise RuntimeError("secret-value-in-an-exception")

    monkeypatch.setattr("reconciler.checks.catalogue.explain", crash)
    monkeypatch.setattr("reconciler.cli.explain.explain", crash, raising=False)
    assert run(["explain", "withdraw-enabled"]) == 1
    shown = capsys.readouterr()
    assert "RuntimeError" in shown.err
    assert "secret-value" not in shown.err + shown.out


def test_the_most_urgent_code_wins():
    order = [9, 7, 8, 4, 5, 6, 10, 3, 1, 2, 0]
    for place, code in enumerate(order):
        assert most_urgent(ExitCode(later) for later in order[place:]) == code
    assert most_urgent([]) is ExitCode.DONE


def test_options_before_the_command_count_for_it(capsys, tmp_path):
    assert run(["-f", str(tmp_path / "missing.yaml"), "validate"]) == 3
    assert "missing.yaml" in capsys.readouterr().out


LOUD = """
import sys, threading
from reconciler.cli import entry, explain

class Loud:
    def __del__(self):
        raise OSError("secret-value in a finaliser")

def crash(*_):
    raise ValueError("secret-value in a thread")

def loudly(*_):
    thread = threading.Thread(target=crash)
    thread.start()
    thread.join()
    Loud()
    raise RuntimeError("secret-value in the command")

explain.explain = loudly
entry.main(["explain", "withdraw-enabled"])
"""


def test_what_no_handler_can_catch_is_not_quoted_either():
    """Other threads and finalisers: Python prints those itself, with a traceback and the error's text."""
    done = subprocess.run([sys.executable, "-c", LOUD], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert [name for name in ("OSError", "ValueError", "RuntimeError") if name not in done.stderr] == []
    assert "secret-value" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


CORE = """
import resource, sys
soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
from reconciler.cli.entry import run
run(["--version"])
print(hard != 0, resource.getrlimit(resource.RLIMIT_CORE)[0])
"""


def test_no_core_file_can_hold_what_is_decrypted():
    done = subprocess.run([sys.executable, "-c", CORE], capture_output=True, text=True, check=True)
    allowed, limit = done.stdout.split()[-2:]
    if allowed == "False":
        pytest.skip("this system allows no core files anyway")
    assert limit == "0"
