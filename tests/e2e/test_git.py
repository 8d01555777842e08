"""The commands with ``--git``: the files come from a repository, and nothing else is different."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest

from reconciler.model.errors import ExitCode
from reconciler.output.registry import FORMATS


def everything(folder: Path) -> dict[Path, int]:
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


def test_an_apply_records_the_commit_that_it_read(site, upstream):
    done = site.call("--git", str(upstream.root), "--yes")
    assert "4 enabled" in done.stdout or "enabled" in done.stdout, done
    with sqlite3.connect(site.state) as connection:
        assert connection.execute("SELECT DISTINCT [commit] FROM passes").fetchall() == [
            (upstream.git("rev-parse", "HEAD"),)
        ]
    again = site.report("--git", str(upstream.root), "--dry-run")
    assert not any(action["kind"] == "enable" for action in again["plan"]["actions"])


def test_an_apply_of_files_here_records_their_commit(site, upstream):
    site.root = upstream.root
    site.call("--yes")
    site.call("--yes")
    with sqlite3.connect(site.state) as connection:
        ((commit,),) = connection.execute("SELECT DISTINCT [commit] FROM passes").fetchall()
    assert commit == upstream.git("rev-parse", "HEAD")


@pytest.mark.parametrize("command", [("--dry-run",), ("check",), ("validate",)])
def test_what_only_looks_writes_nothing(site, upstream, command, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    before = everything(site.root)
    line = [*command, "--git", str(upstream.root), "-f", "connections.yaml"]
    if command != ("validate",):
        done = site.call(*command, "--git", str(upstream.root))
    else:
        done = site.run(*line, raw=True)
    assert done.returncode in (ExitCode.DONE, ExitCode.BLOCKED, ExitCode.FAILED), done
    assert "error:" not in done.stderr
    assert everything(site.root) == before
    assert not list((tmp_path / "temporary").iterdir())


def test_the_same_is_planned_as_from_the_files_themselves(site, upstream):
    from_git = site.report("--git", str(upstream.root), "--dry-run")
    site.root = upstream.root
    here = site.report("--dry-run")
    assert from_git["plan"]["digest"] == here["plan"]["digest"]


@pytest.mark.parametrize("kept", [("--yes",), ("--dry-run",)], ids=["kept", "thrown away"])
def test_every_format_names_files_as_the_repository_does(site, upstream, kept, tmp_path):
    """Never by the folder of ours that its commit was written to, which nobody can open."""
    secret = upstream.root / "secrets" / "mexc-spot-main.sops.yaml"
    secret.write_text(secret.read_text().replace("mexc-spot-main", "another"))
    upstream.commit()
    wanted = [f"--output-file={name}={tmp_path / name}.txt" for name in FORMATS]
    cache = site.root / "cache"
    done = site.call("--git", str(upstream.root), "--git-cache", str(cache), *kept, *wanted)
    shown = {name: (tmp_path / f"{name}.txt").read_text() for name in FORMATS}
    for name, text in (shown | {"screen": done.stdout + done.stderr}).items():
        assert "connections.yaml" in text, name
        assert str(cache) not in text, name
        assert "reconcile-git-" not in text, name
        assert upstream.head not in text, name
    assert "secrets/mexc-spot-main.sops.yaml:" in done.stdout
    assert "file=connections.yaml,line=" in shown["github"]
    assert json.loads(shown["json"])["files"] == ["connections.yaml"]


def test_a_commit_that_cannot_be_used_is_named_by_its_own_paths(site, upstream):
    (upstream.root / "connections.yaml").write_text("version: 1\nconnections: 3\n")
    upstream.commit()
    for command in (("--yes",), ("--dry-run",), ("check",)):
        done = site.call(*command, "--git", str(upstream.root))
        assert done.returncode == ExitCode.CONFIG
        assert done.stderr.startswith("connections.yaml:2:1"), done
    told = site.run("validate", "--git", str(upstream.root), "--output", "json", raw=True)
    assert {one["file"] for one in json.loads(told.stdout)["problems"]} == {"connections.yaml"}


def test_the_next_step_that_is_told_names_the_repository(site, upstream):
    done = site.call("--dry-run", "--git", str(upstream.root), "--ref", "refs/heads/main")
    line = f"reconcile --git file://{upstream.root} --ref refs/heads/main -f connections.yaml"
    assert line in " ".join(done.stdout.split())


def test_a_forge_is_told_the_path_in_the_repository_wherever_this_runs(site, upstream):
    site.environment["GITHUB_WORKSPACE"] = str(site.root.parent)
    done = site.call("--dry-run", "--git", str(upstream.root), "--output", "github")
    assert "file=connections.yaml," in done.stdout
    assert "elsewhere" not in done.stdout
    (upstream.root / "connections.yaml").write_text("version: 1\nconnections: 3\n")
    upstream.commit()
    done = site.run("validate", "--git", str(upstream.root), "--output", "github", raw=True)
    assert "file=connections.yaml," in done.stdout


def test_a_rewritten_history_applies_nothing(site, upstream):
    site.call("--git", str(upstream.root), "--yes")
    before = site.state.read_bytes()
    upstream.git("commit", "--quiet", "--amend", "--message=another")
    done = site.call("--git", str(upstream.root), "--yes")
    assert done.returncode == ExitCode.FAILED
    assert "history was rewritten" in done.stderr
    assert "fix: find out who did" in done.stderr
    head = upstream.git("rev-parse", "HEAD")
    assert site.state.read_bytes() == before
    assert (
        site.call("--git", str(upstream.root), "--yes", "--git-reset-to", head).returncode != ExitCode.CONFIG
    )


def test_without_the_repository_nothing_is_applied(site, upstream):
    site.call("--git", str(upstream.root), "--yes")
    shutil.rmtree(upstream.root)
    done = site.call("--git", str(upstream.root), "--yes")
    assert done.returncode == ExitCode.FAILED
    assert "[remote-refused]" in done.stderr


def test_an_unsigned_commit_applies_nothing(site, upstream, tmp_path):
    listed = tmp_path / "allowed"
    listed.write_text(
        "a@example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJmeH8fIJwP8sCzE9WJfJaSuIFtNQ7hGBGrTsKMUlZ1n\n"
    )
    done = site.call("--git", str(upstream.root), "--git-signed-by", str(listed), "--yes")
    assert done.returncode == ExitCode.FAILED
    assert "it is not signed" in done.stderr
    assert not site.state.exists()


@pytest.mark.parametrize(
    "option",
    [("--git-signed-by", "x"), ("--git-token-file", "x"), ("--git-reset-to", "x")],
    ids=lambda one: one[0],
)
def test_what_is_said_of_a_repository_needs_one(site, option):
    done = site.call("--dry-run", *option)
    assert done.returncode == ExitCode.CONFIG
    assert f"{option[0]} goes with --git" in done.stderr


def test_a_token_on_the_command_line_is_warned_of_and_not_shown(site):
    done = site.call("--dry-run", "--git", "https://robot:tok3n-canary@127.0.0.1:1/x.git")
    assert done.returncode == ExitCode.FAILED
    assert "--git-token-file" in done.stderr
    assert "tok3n-canary" not in done.stdout + done.stderr


def test_the_options_stand_before_a_command_too(site, upstream):
    done = site.run("--git", str(upstream.root), "validate", raw=True)
    assert done.returncode == ExitCode.DONE, done
