"""A database in --state: its password is never shown, and the lock is waited for and ended as on a file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta

import pytest

from reconciler.cli.entry import run
from reconciler.cli.passwords import passwords
from reconciler.state.store import open_for_writing

AWAY = "postgresql://ada:hunter2@127.0.0.1:1/kept"


@pytest.fixture(autouse=True)
def site(tmp_path, monkeypatch):
    (tmp_path / "connections.yaml").write_text("version: 1\nconnections: {}\n")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        (AWAY, ["hunter2"]),
        ("postgresql://ada:hunter%32@db.example/kept", ["hunter2"]),
        ("postgresql://db.example/kept?user=ada&password=hunter2", ["hunter2"]),
        ("postgresql://ada:a@db.example/kept?sslpassword=b", ["a", "b"]),
        ("postgresql://ada@db.example/kept", []),
        ("postgresql://ada:hunter2@[db.example/kept", []),
        ("sqlite:///a:b@c.db", []),
        ("a:b@c.db", []),
        ("", []),
    ],
)
def test_passwords_are_found_wherever_a_url_may_have_them(url, found):
    assert [secret.reveal() for secret in passwords(url)] == found


COMMANDS = [
    ("--dry-run",),
    ("--dry-run", "-v", "--output", "json"),
    ("--yes", "-v"),
    ("--yes", "--lock-timeout", "1"),
    ("unlock", "1"),
    ("--help",),
    ("unlock", "--help"),
]
URLS = [
    AWAY,
    "postgresql://ada:hunter2@192.0.2.1/kept?sslmode=disable",
    "postgresql://ada:hunter2/3@db.example/kept",
    "postgresql://ada:hunter2%@db.example/kept",
    "mysql://ada:hunter2@db.example/kept",
    "postgresql://ada@db.example/kept?password=hunter2&passwort=hunter2",
]


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("place", ["flag", "before", "variable"])
def test_no_command_shows_the_password(url, command, place, monkeypatch, capsys):
    if place == "variable":
        monkeypatch.setenv("RECONCILER_STATE", url)
    flag = () if place == "variable" else ("--state", url)
    arguments = [*flag, *command] if place == "before" else [*command, *flag]
    code = run(arguments)
    shown = capsys.readouterr()
    assert code in ((0,) if "--help" in command else (1, 3))
    assert "hunter2" not in shown.out + shown.err
    assert "Traceback" not in shown.err


def test_a_password_on_the_command_line_is_warned_of_once_and_one_in_the_environment_is_not(
    monkeypatch, capsys
):
    run(["--state", AWAY, "unlock", "1"])
    assert capsys.readouterr().err.count("every user of this machine can read a command line") == 1
    run(["--state", "postgresql://ada@127.0.0.1:1/kept", "--dry-run"])
    monkeypatch.setenv("RECONCILER_STATE", AWAY)
    run(["--dry-run"])
    assert "command line" not in capsys.readouterr().err


def test_a_server_that_is_down_is_said_with_its_address_and_a_fix(monkeypatch, capsys):
    monkeypatch.setenv("RECONCILER_STATE", AWAY)
    assert run(["--dry-run"]) == 1
    said = capsys.readouterr().err
    assert "the state postgresql://ada@127.0.0.1:1/kept cannot be reached" in said
    assert "fix:" in said


def command(*arguments, **more):
    line = [sys.executable, "-m", "reconciler.cli", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
    return subprocess.Popen(line, text=True, **pipes, **more)


def test_the_command_waits_says_for_whom_and_goes_on_when_the_lock_is_ended(state_url):
    with open_for_writing(state_url) as store, store.lease(ttl=timedelta(hours=1)):
        waiting = command("--yes", "--state", state_url, "--lock-timeout", "600")
        said = waiting.stderr.readline()
        assert "waiting for the lock, at most 600 s: held by" in said
        assert f"process {os.getpid()}" in said
        assert run(["unlock", "1", "--state", state_url]) == 0
        _out, err = waiting.communicate(timeout=200)
    assert waiting.returncode == 0, err


def test_without_a_timeout_the_command_is_refused_with_exit_code_7(state_url, capsys):
    with open_for_writing(state_url) as store, store.lease(ttl=timedelta(hours=1)) as lease:
        assert run(["--yes", "--state", state_url]) == 7
        said = capsys.readouterr().err
        assert f"process {os.getpid()}" in said
        assert "reconcile unlock 1" in said.replace("\n         ", " ")
        assert run(["--dry-run", "--state", state_url]) == 0, "a dry run asks for no lock"
        assert run(["unlock", "7", "--state", state_url]) == 3
        lease.check()


def test_waiting_for_the_lock_can_be_interrupted(state_url):
    with open_for_writing(state_url) as store, store.lease(ttl=timedelta(hours=1)) as lease:
        waiting = command("--yes", "--state", state_url, "--lock-timeout", "600")
        assert "waiting for the lock" in waiting.stderr.readline()
        waiting.send_signal(signal.SIGINT)
        _out, err = waiting.communicate(timeout=200)
        assert waiting.returncode == 130, err
        lease.check()
