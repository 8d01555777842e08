"""Files that lie here, with the commit that they are of where it can be told."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.engine.source import Here, checked_out


@pytest.fixture
def told(upstream, environ):
    return lambda *files: checked_out([str(upstream.root / file) for file in files], environ)


async def test_files_that_lie_here_are_given_as_they_were_named(upstream, environ, monkeypatch):
    monkeypatch.chdir(upstream.root)
    source = Here(("connections.yaml",), environ)
    revision = await source.refresh()
    assert (revision.files, revision.commit) == (("connections.yaml",), upstream.head)
    assert await source.refresh() == revision
    source.good(revision)
    assert source.last_good() is None


def test_what_differs_there_is_told(upstream, told):
    head = upstream.head
    assert told("connections.yaml") == told(".") == head
    upstream.write("connections.yaml", "version: 1\n")
    assert told("connections.yaml") == told(".") == f"{head}-dirty"


@pytest.mark.parametrize("name", ["new.yaml", "secrets/a.sops.yaml"])
def test_a_new_file_beside_it_is_a_difference(upstream, told, name):
    upstream.write(name, "x: 1\n")
    assert told("connections.yaml") == f"{upstream.head}-dirty"


def test_what_lies_elsewhere_is_none(upstream, told):
    upstream.write("bots/a.yaml", upstream.config)
    head = upstream.commit()
    upstream.write("elsewhere/b.yaml", "x: 1\n")
    upstream.write("connections.yaml", "x: 1\n")
    assert told("bots") == told("bots/a.yaml") == head
    assert told("bots", "connections.yaml") == f"{head}-dirty"


def test_a_file_that_is_not_committed_is_a_difference(upstream, told):
    upstream.write("bots/a.yaml", upstream.config)
    assert told("bots/a.yaml") == f"{upstream.head}-dirty"


def test_what_git_ignores_is_none(upstream, told):
    upstream.write(".gitignore", "*.log\n")
    head = upstream.commit()
    upstream.write("a.log", "x")
    assert told("connections.yaml") == head


def test_no_commit_is_told_where_there_is_none(tmp_path, told, environ, upstream):
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain/a.yaml").write_text("version: 1\n")
    assert checked_out([str(tmp_path / "plain/a.yaml")], environ) is None
    assert checked_out([], environ) is None
    assert told("nothing.yaml") is None
    assert checked_out([str(upstream.root), str(tmp_path / "plain")], environ) is None
    assert checked_out([str(upstream.root)], {"PATH": "/nowhere"}) is None


def test_a_repository_without_a_commit_tells_none(upstream, environ, tmp_path):
    upstream.git("init", "--quiet", str(tmp_path / "empty"))
    (tmp_path / "empty/a.yaml").write_text("version: 1\n")
    assert checked_out([str(tmp_path / "empty/a.yaml")], environ) is None


def test_no_program_of_the_repository_is_started(upstream, told, tmp_path):
    program = tmp_path / "evil"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    program.chmod(0o700)
    for name in ("core.fsmonitor", "filter.evil.clean", "diff.external"):
        upstream.git("config", name, str(program))
    upstream.write(".git/info/attributes", "* filter=evil\n")
    assert told("connections.yaml") == upstream.head
    assert not Path(tmp_path / "ran").exists()
