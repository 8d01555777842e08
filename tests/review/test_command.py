"""``reconcile diff`` as people and pipelines run it: a process of its own in a real repository."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from xml.etree import ElementTree as ET

import pytest

FORMATS = ("text", "json", "markdown", "github", "gitlab", "sarif", "junit", "rdjson")


@pytest.fixture
def command(repo):
    """Runs the command at a folder of the checkout."""

    def run(*arguments, at=".", environ=None, **more):
        return subprocess.run(
            [sys.executable, "-m", "reconciler.cli", *arguments],
            cwd=repo.root / at,
            env=repo.environ | (environ or {}),
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
            **more,
        )

    return run


def raised(repo):
    """A change that raises risk and fails nothing: a limit, and another secret."""
    repo.change("connections.yaml", 'amount: "500"', 'amount: "900"')
    repo.set(repo.main, "secret")


@pytest.mark.parametrize(
    ("change", "code", "last"),
    [
        (lambda _: None, 0, "0 changed, 0 renamed, 0 removed; 0 risk up"),
        (raised, 0, "1 changed, 0 renamed, 0 removed; 1 risk up, 0 risk down; 1 secret changed; 0 failing"),
        (lambda repo: repo.change("connections.yaml", "market: spot", "market: moon"), 3, "1 failing"),
        (lambda repo: repo.write("notes.txt", f"password: {repo.canary}\n"), 4, "1 failing"),
        (
            lambda repo: repo.change(
                "connections.yaml",
                "connections:",
                'policy: {max_margin_limit: {amount: "1", currency: USDT}}\nconnections:',
            ),
            5,
            "1 failing",
        ),
    ],
    ids=["nothing", "risk", "configuration", "secrets", "policy"],
)
def test_the_exit_code_and_the_last_line(repo, command, change, code, last):
    change(repo)
    done = command("diff", "main")
    assert done.returncode == code, done.stdout + done.stderr
    summary = done.stdout.splitlines()[-1]
    assert summary.startswith("diff: ")
    assert last in summary
    assert repo.canary not in done.stdout + done.stderr
    assert done.stderr == ""


def test_changes_are_an_exit_code_only_where_asked_for(repo, command):
    assert command("diff", "main", "--detailed-exitcode").returncode == 0
    raised(repo)
    assert command("diff", "main").returncode == 0
    assert command("diff", "main", "--detailed-exitcode").returncode == 2
    assert command("diff", environ={"RECONCILER_DETAILED_EXITCODE": "1"}).returncode == 2


def test_every_format_at_once_holds_no_secret(repo, command, tmp_path):
    raised(repo)
    repo.write("notes.txt", f"password: {repo.canary}\n")
    paths = {name: tmp_path / f"report.{name}" for name in FORMATS}
    wanted = [f"--output-file={name}={path}" for name, path in paths.items()]
    done = command("diff", "main", *wanted)
    assert done.returncode == 4
    texts = {name: path.read_text(encoding="utf-8") for name, path in paths.items()}
    assert texts["text"] == done.stdout
    assert all(repo.canary not in text for text in texts.values())
    assert all("notes.txt" in text for text in texts.values())
    assert json.loads(texts["json"])["exit_code"] == 4
    assert json.loads(texts["sarif"])["version"] == "2.1.0"
    assert ET.fromstring(texts["junit"]).tag == "testsuites"  # noqa: S314 - our own


def test_files_are_named_from_the_top_wherever_it_runs(repo, command, tmp_path):
    raised(repo)
    summary = tmp_path / "summary.md"
    environ = {"GITHUB_WORKSPACE": str(repo.root.parent), "GITHUB_STEP_SUMMARY": str(summary)}
    done = command("diff", "-f", "../connections.yaml", "--output", "github", at="secrets", environ=environ)
    assert done.returncode == 0, done.stderr
    (note,) = (row for row in done.stdout.splitlines() if row.startswith("::"))
    assert note.startswith("::warning file=connections.yaml,line=")
    assert summary.read_text(encoding="utf-8").startswith("<!-- reconciler:diff:")


def test_text_of_a_pull_request_gives_no_orders(repo, command):
    name = "::error::x %0A::stop-commands::y [link](http://example.org) <img src=x> @all"
    repo.change("connections.yaml", "name: MEXC Spot Main", f'name: "{name}"')
    for output in ("github", "text", "markdown"):
        shown = command("diff", "main", "--output", output).stdout
        rows = [row for row in shown.splitlines() if row.lstrip().startswith("::")]
        assert all(row.startswith("::warning file=connections.yaml") for row in rows), output
        assert "::stop-commands::" not in shown.replace("%3A", ":"), output
        assert output != "markdown" or ("<img" not in shown.replace("`", "") or "`" in shown)


def test_a_secret_that_lost_its_field_is_not_shown(repo, command):
    repo.edit(repo.main, f"s/^secret: .*/{repo.canary}: value/")
    done = command("diff", "main", "-v")
    assert done.returncode == 4
    assert repo.canary not in done.stdout + done.stderr


def test_in_a_plain_locale_and_with_closed_streams(repo, command):
    raised(repo)
    done = command("diff", "main", environ={"LC_ALL": "C", "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert "500 -> 900" in done.stdout
    shell = f'"{sys.executable}" -m reconciler.cli diff main >&-'
    closed = subprocess.run(["sh", "-c", shell], env=repo.environ, capture_output=True, check=False)  # noqa: S607
    assert (closed.returncode, closed.stderr) == (0, b"")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_told_to_end_it_ends_at_once_and_leaves_nobody_behind(repo, number):
    """A git that never answers stands in for a disk that does not. It lets its parent come to wait for it."""
    stuck = repo.home / "git"
    stuck.write_text(f"#!/bin/sh\nsleep 0.5\necho $$ > {repo.home}/pid\nexec sleep 600\n")
    stuck.chmod(0o755)
    environ = repo.environ | {"PATH": f"{repo.home}:{os.environ['PATH']}"}
    process = subprocess.Popen(
        [sys.executable, "-m", "reconciler.cli", "diff", "main"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    end = time.monotonic() + 120
    while not (repo.home / "pid").exists() or not (repo.home / "pid").read_text().strip():
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(number)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert b"Traceback" not in err
    child = int((repo.home / "pid").read_text())
    while time.monotonic() < end:
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    pytest.fail("the child lives on")
