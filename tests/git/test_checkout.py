"""The commit of files in a checkout: of those that were read, and asked for only where something moved."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from reconciler.engine.checkout import Checkout, commit_once, head_marks
from reconciler.engine.files import read


class Pulled:
    """Somebody's clone of the upstream, in which they pull while we read."""

    def __init__(self, upstream, root, environ):
        self.upstream, self.root, self.environ = upstream, root, environ
        upstream.git("clone", "--quiet", str(upstream.root), str(root))
        self.checkout = Checkout([str(root / "connections.yaml")], self.counted())

    def counted(self):
        """An environment in which every start of git is counted."""
        folder = self.root.parent / "counted"
        folder.mkdir()
        (folder / "git").write_text(f'#!/bin/sh\necho >> {folder}/log\nexec {shutil.which("git")} "$@"\n')
        (folder / "git").chmod(0o700)
        self.log = folder / "log"
        return self.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}

    @property
    def started(self):
        """How often git was started since this was last asked."""
        count = len(self.log.read_text().splitlines()) if self.log.exists() else 0
        self.log.unlink(missing_ok=True)
        return count

    def git(self, *arguments):
        return self.upstream.git("-C", str(self.root), *arguments)

    @property
    def head(self):
        return self.git("rev-parse", "HEAD")

    def told(self, reading=None, *files, unchanged=lambda: True):
        """What is told of files of which ``reading`` is another whenever their bytes are."""
        named = [str(self.root / file) for file in files or ("connections.yaml",)]
        seen = [Path(file).read_bytes() for file in named] if reading is None else reading
        return self.checkout.commit(named, reading=str(seen), unchanged=unchanged)


@pytest.fixture
def pulled(upstream, tmp_path, environ):
    return Pulled(upstream, tmp_path / "home" / "clone", upstream.environ)


@pytest.fixture
def once(upstream, environ):
    """The commit of a configuration that is read once."""

    def told(*files, environ=environ):
        named = [str(upstream.root / file) for file in files]
        return commit_once(named, environ, read(named))

    return told


def moved_by(pulled, how):
    """Let the clone stand at another commit, with the same configuration or another one."""
    before = pulled.head
    if how == "commit":
        pulled.git("commit", "--quiet", "--allow-empty", "--message=x")
    elif how == "pull":
        pulled.upstream.commit()
        pulled.git("pull", "--quiet", "--ff-only")
    elif how == "detached":
        pulled.git("checkout", "--quiet", "--detach")
        pulled.git("commit", "--quiet", "--allow-empty", "--message=z")
    elif how == "packed":
        pulled.git("commit", "--quiet", "--allow-empty", "--message=x")
        pulled.git("pack-refs", "--all")
    elif how == "reset":
        pulled.upstream.commit()
        pulled.git("fetch", "--quiet")
        pulled.git("reset", "--quiet", "--hard", "origin/main")
    else:
        pulled.git(
            "update-ref", "refs/heads/main", pulled.git("commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "x")
        )
    assert pulled.head != before


@pytest.mark.parametrize("how", ["commit", "pull", "detached", "packed", "reset", "update-ref"])
def test_a_commit_that_came_in_meanwhile_is_told(pulled, how):
    assert pulled.told() == pulled.head
    for _ in range(3):
        moved_by(pulled, how)
        assert pulled.told() == pulled.head


def test_another_branch_is_told(pulled):
    before = pulled.told()
    pulled.git("checkout", "--quiet", "-b", "other")
    assert pulled.told() == before
    moved_by(pulled, "commit")
    assert pulled.told() == pulled.head
    pulled.git("checkout", "--quiet", "main")
    assert pulled.told() == before


def test_git_is_started_only_where_something_moved(pulled):
    pulled.told()
    assert 0 < pulled.started < 10
    for _ in range(100):
        pulled.told()
    assert pulled.started == 0
    moved_by(pulled, "pull")
    pulled.told()
    assert pulled.started
    pulled.told()
    assert pulled.started == 0


def test_a_worktree_beside_a_clone_is_told_its_own_commit(pulled, tmp_path):
    pulled.git("worktree", "add", "--quiet", str(tmp_path / "beside"), "-b", "beside")
    beside = tmp_path / "beside"
    checkout = Checkout([str(beside)], pulled.environ)

    def told():
        return checkout.commit([str(beside / "connections.yaml")], reading=1, unchanged=lambda: True)

    first = told()
    assert first == pulled.head
    pulled.upstream.git("-C", str(beside), "commit", "--quiet", "--allow-empty", "--message=x")
    assert told() == pulled.upstream.git("-C", str(beside), "rev-parse", "HEAD") != first


def test_a_clone_with_its_refs_in_tables_is_told(pulled, tmp_path):
    root = tmp_path / "tables"
    try:
        pulled.git("clone", "--quiet", "--ref-format=reftable", str(pulled.upstream.root), str(root))
    except AssertionError:
        pytest.skip("this git has no reftable")
    before = head_marks([str(root)])
    pulled.upstream.git("-C", str(root), "commit", "--quiet", "--allow-empty", "--message=x")
    assert head_marks([str(root)]) != before


def test_what_was_read_and_then_changed_is_of_no_commit_that_came_later(pulled):
    """The files were read, then somebody pulled, then git was asked: it tells what was not read."""
    before = pulled.told()
    moved_by(pulled, "pull")
    assert pulled.told("read before the pull", unchanged=lambda: False) is None
    assert pulled.told() == pulled.head != before


def test_a_pull_whose_files_are_yet_to_be_read_changes_nothing(pulled):
    before = pulled.told("first")
    moved_by(pulled, "pull")
    assert pulled.told("first", unchanged=lambda: False) == before
    assert pulled.told("second") == pulled.head


def test_a_commit_that_came_in_while_git_was_asked_is_not_told(pulled):
    # What tells is looked at before and after: by the time of the second look the head has moved.
    shim = pulled.log.parent / "git"
    shim.write_text(
        f"#!/bin/sh\nunset GIT_DIR\n{shutil.which('git')} -C {pulled.root} "
        "-c user.name=x -c user.email=x@example.org commit --quiet --allow-empty --message=meanwhile\n"
        f'exec {shutil.which("git")} "$@"\n'
    )
    assert pulled.told() is None


def test_what_differs_is_told_until_it_does_not(pulled):
    head = pulled.told()
    kept = (pulled.root / "connections.yaml").read_bytes()
    (pulled.root / "connections.yaml").write_text("version: 1\n")
    assert pulled.told() == f"{head}-dirty"
    (pulled.root / "connections.yaml").write_bytes(kept)
    assert pulled.told() == head
    (pulled.root / "connections.yaml").write_text("version: 1\n")
    pulled.git("commit", "--quiet", "--all", "--message=mine")
    assert pulled.told() == pulled.head != head


def test_where_git_is_gone_or_hangs_no_commit_is_told_and_nobody_waits_twice(pulled):
    shim = pulled.log.parent / "git"
    shim.write_text(f"#!/bin/sh\necho >> {pulled.log}\nexec sleep 60\n")
    slow = Checkout([str(pulled.root)], pulled.checkout._environ, limit=0.2)
    for _ in range(3):
        assert slow.commit([str(pulled.root / "connections.yaml")], reading=1, unchanged=lambda: True) is None
    assert pulled.started <= 1
    gone = Checkout([str(pulled.root)], {"PATH": "/nowhere"})
    assert gone.commit([str(pulled.root / "connections.yaml")], reading=1, unchanged=lambda: True) is None


def test_asked_again_it_finds_git_that_came_back(pulled):
    shim = pulled.log.parent / "git"
    kept = shim.read_text()
    shim.write_text("#!/bin/sh\nexit 1\n")
    assert pulled.told() is None
    shim.write_text(kept)
    assert pulled.told() is None, "nothing moved"
    pulled.checkout.forget()
    assert pulled.told() == pulled.head


def test_the_commit_of_one_run_is_that_of_what_it_read(upstream, once):
    head = upstream.head
    assert once("connections.yaml") == once(".") == head
    upstream.write("connections.yaml", "version: 1\n")
    assert once("connections.yaml") == once(".") == f"{head}-dirty"


def test_files_that_were_changed_since_they_were_read_are_of_no_commit(upstream, environ):
    named = [str(upstream.root / "connections.yaml")]
    desired = read(named)
    upstream.write("connections.yaml", "version: 1\n\negress: {x: {addresses: [203.0.113.1]}}\n")
    assert commit_once(named, environ, desired) is None
    upstream.write("connections.yaml", "version: 2\n")
    assert commit_once(named, environ, desired) is None


def test_what_is_not_read_makes_no_difference(upstream, once):
    head = upstream.commit(README="x", ignored__log="x")
    upstream.write("README", "y")
    upstream.write("secrets/a.sops.yaml", "x: 1\n")
    upstream.write(".reconciler/state.db", "x")
    upstream.write(".hidden/b.yaml", "x")
    assert once("connections.yaml") == once(".") == head
    upstream.write("beside.yaml", "version: 1\n")
    assert once("connections.yaml") == head
    assert once(".") == f"{head}-dirty"


def test_configuration_that_a_folder_lacks_is_a_difference(upstream, once):
    head = upstream.commit(
        bots__a_yaml="x", **{"bots/a.yaml": upstream.config, "bots/b.yaml": "version: 1\n"}
    )
    assert once("bots") == head
    (upstream.root / "bots/b.yaml").unlink()
    assert once("bots") == f"{head}-dirty"
    assert once("bots/a.yaml") == once("connections.yaml") == head


@pytest.mark.parametrize("kind", ["connections", "runtimes"])
def test_a_secret_file_is_read_too(upstream, once, kind):
    upstream.write("secrets/m.sops.yaml", "a: 1\n")
    entries = {
        "connections": "connections:\n  m: {name: M, exchange: mexc, market: spot, "
        "credentials: secrets/m.sops.yaml}\n",
        "runtimes": "runtimes:\n  m: {type: freqtrade, url: 'http://127.0.0.1:1', "
        "credentials: secrets/m.sops.yaml}\n",
    }
    upstream.write("bots.yaml", "version: 1\n" + entries[kind])
    head = upstream.commit()
    assert once("bots.yaml") == head
    upstream.write("secrets/m.sops.yaml", "a: 2\n")
    assert once("bots.yaml") == f"{head}-dirty"


def test_a_file_that_is_not_committed_is_a_difference(upstream, once):
    upstream.write("bots/a.yaml", upstream.config)
    assert once("bots/a.yaml") == once("bots") == f"{upstream.head}-dirty"


def test_no_commit_is_told_where_there_is_none(tmp_path, once, environ, upstream):
    plain = tmp_path / "plain" / "a.yaml"
    plain.parent.mkdir()
    plain.write_text("version: 1\n")
    assert commit_once([str(plain)], environ, read([str(plain)])) is None
    both = [str(upstream.root / "connections.yaml"), str(plain.parent)]
    assert commit_once(both, environ, read(both)) is None
    assert once("connections.yaml", environ={"PATH": "/nowhere"}) is None
    upstream.git("init", "--quiet", str(tmp_path / "plain"))
    assert commit_once([str(plain)], environ, read([str(plain)])) is None, "a repository without a commit"


def test_a_repository_of_sha256_is_told(upstream, environ, tmp_path):
    upstream.git("init", "--quiet", "--object-format=sha256", str(tmp_path / "home" / "long"))
    file = tmp_path / "home" / "long" / "a.yaml"
    file.write_text("version: 1\n")
    upstream.git("-C", str(file.parent), "add", "--all")
    upstream.git("-C", str(file.parent), "commit", "--quiet", "--message=x")
    told = commit_once([str(file)], environ, read([str(file)]))
    assert told == upstream.git("-C", str(file.parent), "rev-parse", "HEAD")
    assert len(told) == 64


def test_more_files_than_can_be_named_are_told(upstream, once, monkeypatch):
    monkeypatch.setattr("reconciler.engine.checkout._NAMED", 1)
    head = upstream.commit(**{"bots/a.yaml": upstream.config, "bots/b.yaml": "version: 1\n", "c.yaml": "x"})
    assert once("bots") == head


def test_no_program_of_the_repository_is_started(upstream, once, tmp_path):
    program = tmp_path / "evil"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    program.chmod(0o700)
    for name in ("core.fsmonitor", "filter.evil.clean", "diff.external"):
        upstream.git("config", name, str(program))
    upstream.write(".git/info/attributes", "* filter=evil\n")
    assert once("connections.yaml") == upstream.head
    assert not Path(tmp_path / "ran").exists()
