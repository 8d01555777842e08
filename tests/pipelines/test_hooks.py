"""pre-commit itself runs our hooks in a scratch repository; ``make pipelines`` installs them, too."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from reconciler.resources import folder

ROOT = Path(__file__).parents[2]
SECRET = "PlaintextCanaryKeyOfAMexcAccount"


class Desk:
    """A team's repository with our hooks, and a commit to start from."""

    def __init__(self, tmp_path):
        self.root, self.hooks, tools = tmp_path / "desk", tmp_path / "hooks", tmp_path / "tools"
        tools.mkdir()
        shim = tools / "reconcile"
        shim.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m reconciler.cli "$@"\n')
        shim.chmod(0o755)
        self.environ = {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(tmp_path),
            "PRE_COMMIT_HOME": str(tmp_path / "cache"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            **{f"GIT_{who}_{what}": "t@t" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        }
        self.hooks.mkdir()
        shutil.copy(ROOT / ".pre-commit-hooks.yaml", self.hooks)
        revision = self.commit(self.hooks)
        shutil.copytree(folder("examples"), self.root, ignore=shutil.ignore_patterns("ci", "all-exchanges"))
        # "language: system" takes the command from PATH: what runs is the same, without an installation.
        hooks = [{"id": name, "language": "system"} for name in ("reconcile-validate", "reconcile-diff")]
        config = {"repos": [{"repo": str(self.hooks), "rev": revision, "hooks": hooks}]}
        (self.root / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
        self.commit(self.root)

    def git(self, *arguments, at=None):
        return subprocess.run(
            [str(shutil.which("git")), *arguments],
            cwd=at or self.root,
            env=self.environ,
            text=True,
            capture_output=True,
            check=True,
        ).stdout.strip()

    def commit(self, at):
        self.git("init", "--quiet", "--initial-branch=main", at=at)
        self.git("add", "--all", at=at)
        self.git("commit", "--quiet", "--message=first", at=at)
        return self.git("rev-parse", "HEAD", at=at)

    def edit(self, name, old, new):
        path = self.root / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        self.git("add", name)


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


@pytest.fixture
def hook(desk, tool):
    def run(name, *more):
        code, out, err = tool("pre-commit", "run", name, *more, cwd=desk.root, env=desk.environ)
        return code, out + err

    return run


def test_the_manifest_is_one_that_pre_commit_takes(tool):
    assert tool("pre-commit", "validate-manifest", str(ROOT / ".pre-commit-hooks.yaml"))[0] == 0


def test_a_good_change_passes(desk, hook):
    desk.edit("connections.yaml", 'amount: "500"', 'amount: "400"')
    code, said = hook("reconcile-validate")
    assert code == 0, said
    assert "Passed" in said


def test_a_wrong_change_is_stopped_with_file_and_line(desk, hook):
    desk.edit("connections.yaml", "exchange: mexc\n", "exchange: mexx\n")
    code, said = hook("reconcile-validate")
    assert code == 1
    assert re.search(r"connections\.yaml:\d+:\d+: ", said)
    assert "exit code: 3" in said


def test_a_key_in_clear_is_stopped_and_not_repeated(desk, hook):
    path = desk.root / "secrets" / "mexc-spot-main.sops.yaml"
    lines = [
        f"api_key: {SECRET}" if line.startswith("api_key:") else line
        for line in path.read_text().splitlines()
    ]
    path.write_text("\n".join(lines) + "\n")
    desk.git("add", "--all")
    code, said = hook("reconcile-validate")
    assert code == 1
    assert "exit code: 4" in said
    assert SECRET not in said


def test_what_is_not_staged_is_not_judged(desk, hook):
    desk.edit("connections.yaml", 'amount: "500"', 'amount: "400"')
    path = desk.root / "connections.yaml"
    path.write_text(path.read_text() + "nonsense: true\n")
    code, said = hook("reconcile-validate")
    assert code == 0, said


def test_a_commit_without_yaml_does_not_wait(desk, hook):
    (desk.root / "notes.txt").write_text("hello")
    desk.git("add", "--all")
    code, said = hook("reconcile-validate")
    assert (code, "Skipped" in said) == (0, True)


def test_another_folder_is_named_by_arguments(desk, hook):
    (desk.root / "prod").mkdir()
    desk.git("mv", "connections.yaml", "secrets", "prod")
    config = desk.root / ".pre-commit-config.yaml"
    parsed = yaml.safe_load(config.read_text())
    parsed["repos"][0]["hooks"][0]["args"] = ["--file=prod"]
    config.write_text(yaml.safe_dump(parsed))
    desk.git("add", "--all")
    code, said = hook("reconcile-validate")
    assert code == 0, said


def test_the_diff_is_shown_before_it_is_committed(desk, hook):
    desk.edit("connections.yaml", 'amount: "500"', 'amount: "5000"')
    code, said = hook("reconcile-diff")
    assert code == 0, said
    assert "margin_limit" in said
