"""A repository may name programs in many places. Reading two revisions of it starts none of them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reconciler.model.errors import ExitCode, UsageError
from reconciler.model.review import ChangeKind

ATTRIBUTES = """\
* text=auto filter=evil diff=evil merge=evil
*.yaml filter=evil diff=evil working-tree-encoding=UTF-8
*.sops.yaml filter=process diff=evil
"""

HOOKS = (
    *(
        "fsmonitor-watchman",
        "post-checkout",
        "post-commit",
        "post-index-change",
        "post-merge",
        "post-rewrite",
    ),
    *("pre-auto-gc", "pre-commit", "pre-merge-commit", "pre-push", "pre-rebase", "reference-transaction"),
)


@pytest.fixture
def canary(tmp_path):
    """A program that leaves a file behind when anything starts it."""
    program = tmp_path / "evil"
    program.write_text(f'#!/bin/sh\necho "$0 $*" >> {tmp_path}/ran\nexit 0\n')
    program.chmod(0o700)
    return program


@pytest.fixture
def untouched(repo, tmp_path):
    """Says whether the canary stayed silent, and everything in the repository as it was."""

    def files():
        found = (path for path in repo.root.rglob("*") if path.is_file())
        return {path: (path.read_bytes(), path.lstat().st_mtime_ns) for path in found}

    kept = {}

    def begin():
        (tmp_path / "ran").unlink(missing_ok=True)
        kept.update(files())

    def check():
        assert not (tmp_path / "ran").exists(), (tmp_path / "ran").read_text()
        assert files() == kept

    check.begin = begin
    return check


def arm(repo, program):
    """Every place of a repository's own configuration that names a program."""
    hooks = repo.path(".git/evil-hooks")
    hooks.mkdir()
    for name in HOOKS:
        shutil.copy(program, hooks / name)
    settings = {
        "core.fsmonitor": program,
        "core.hooksPath": hooks,
        "core.sshCommand": program,
        "core.gitProxy": program,
        "core.pager": program,
        "core.editor": program,
        "core.askPass": program,
        "core.alternateRefsCommand": program,
        "credential.helper": program,
        "diff.external": program,
        "diff.evil.command": program,
        "diff.evil.textconv": program,
        "diff.textconv": program,
        "filter.evil.clean": program,
        "filter.evil.smudge": program,
        "filter.evil.required": "true",
        "filter.process.process": program,
        "filter.process.required": "true",
        "merge.evil.driver": program,
        "gpg.program": program,
        "log.showSignature": "true",
        "interactive.diffFilter": program,
        "pager.diff-tree": program,
        "pager.ls-tree": program,
        "pager.cat-file": program,
        "alias.ls-tree": f"!{program}",
        "alias.cat-file": f"!{program}",
        "uploadpack.packObjectsHook": program,
        "protocol.allow": "always",
        "protocol.ext.allow": "always",
        "remote.origin.url": f"ext::sh -c {program}",
        "remote.origin.uploadpack": program,
        "remote.origin.promisor": "true",
        "remote.origin.partialclonefilter": "blob:none",
        "extensions.partialClone": "origin",
        "submodule.recurse": "true",
    }
    for name, value in settings.items():
        repo.git("config", name, str(value))


@pytest.mark.parametrize("head", ["branch", None])
def test_no_program_that_the_repository_names_is_started(repo, canary, untouched, head):
    repo.set(repo.main, "secret")
    repo.write(".gitattributes", ATTRIBUTES)
    repo.write(
        ".gitmodules", f'[submodule "x"]\n\tpath = x\n\turl = ext::sh -c {canary}\n\tupdate = !{canary}\n'
    )
    repo.commit("a change of a secret, and attributes")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{repo.git('rev-parse', 'HEAD')},x")
    repo.git("commit", "--quiet", "--message=a submodule")
    repo.change("connections.yaml", '"500"', '"900"')
    if head:
        repo.commit("a limit")
    arm(repo, canary)
    untouched.begin()
    look = repo.review("main", head)
    untouched()
    assert look.passes
    assert look.states() == {"api_key": "unchanged", "secret": "changed"}
    assert [leaf.new for leaf in look.change("strategies", "btc-eth").leaves] == ["900"]


def test_the_trap_works(repo, canary, tmp_path):
    """The same repository runs the program as soon as git itself compares what it holds."""
    repo.write(".gitattributes", ATTRIBUTES)
    repo.commit()
    arm(repo, canary)
    repo.change("connections.yaml", '"500"', '"900"')
    subprocess.run(["git", "diff"], cwd=repo.root, env=repo.environ, check=False, capture_output=True)  # noqa: S607
    assert (tmp_path / "ran").exists()


def test_a_missing_object_is_never_fetched(repo, canary, untouched):
    """A promisor remote may be a command line; a lazy fetch would run it."""
    repo.change("connections.yaml", '"500"', '"900"')
    repo.commit()
    arm(repo, canary)
    blob = repo.git("rev-parse", "HEAD:connections.yaml")
    repo.path(f".git/objects/{blob[:2]}/{blob[2:]}").unlink()
    untouched.begin()
    look = repo.review("main", "branch")
    untouched()
    assert look.fails == {"unreadable"}
    assert "not in this clone" in look.concern("unreadable").message


@pytest.mark.parametrize(
    "variables",
    [
        {"GIT_DIR": "/nowhere", "GIT_WORK_TREE": "/nowhere", "GIT_INDEX_FILE": "/nowhere"},
        {"GIT_OBJECT_DIRECTORY": "/nowhere", "GIT_COMMON_DIR": "/nowhere", "GIT_NAMESPACE": "x"},
        {"GIT_EXTERNAL_DIFF": "{0}", "GIT_PAGER": "{0}", "PAGER": "{0}", "GIT_SSH_COMMAND": "{0}"},
        {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.fsmonitor", "GIT_CONFIG_VALUE_0": "{0}"},
        {"GIT_CONFIG_PARAMETERS": "'core.fsmonitor'='{0}'", "GIT_CONFIG_GLOBAL": "/nowhere"},
        {"GIT_EXEC_PATH": "/nowhere", "GIT_TEMPLATE_DIR": "/nowhere", "GIT_REPLACE_REF_BASE": "refs/heads/"},
        {"GIT_LITERAL_PATHSPECS": "0", "GIT_GLOB_PATHSPECS": "1", "GIT_TRACE": "/dev/stdout"},
        {"GIT_DIFF_OPTS": "-u0", "GIT_GRAFT_FILE": "/nowhere", "GIT_SHALLOW_FILE": "/nowhere"},
    ],
    ids=lambda variables: next(iter(variables)),
)
def test_no_variable_of_git_steers_a_review(repo, canary, untouched, variables):
    repo.change("connections.yaml", '"500"', '"900"')
    untouched.begin()
    look = repo.review(environ={name: text.format(canary) for name, text in variables.items()})
    untouched()
    assert look.passes
    assert [leaf.new for leaf in look.change("strategies", "btc-eth").leaves] == ["900"]


def test_objects_are_the_true_ones_whatever_replaces_them(repo):
    good = repo.git("rev-parse", "HEAD")
    repo.change("connections.yaml", '"500"', '"900"')
    bad = repo.commit("raise a limit")
    repo.git("replace", bad, good)
    blobs = [repo.git("--no-replace-objects", "rev-parse", f"{one}:connections.yaml") for one in (bad, good)]
    repo.git("replace", *blobs)
    assert repo.git("show", "branch:connections.yaml") == repo.config.removesuffix("\n")
    look = repo.review("main", "branch")
    assert [leaf.new for leaf in look.change("strategies", "btc-eth").leaves] == ["900"]


def test_history_is_the_true_one_whatever_grafts_say(repo, age_secret):
    repo.write("notes.txt", age_secret)
    repo.commit("a leak")
    repo.path("notes.txt").unlink()
    head = repo.commit("and away")
    repo.path(".git/info").mkdir(exist_ok=True)
    repo.write(".git/info/grafts", f"{head} {repo.git('rev-parse', 'main')}\n")
    assert repo.git("rev-list", "--count", "main..branch") == "1"
    assert repo.review("main", "branch").fails == {"plaintext-in-history"}


def test_a_bare_repository_that_lies_in_the_tree_is_none(repo, canary, untouched, monkeypatch):
    """Its configuration would be a file of the pull request."""
    folder = repo.path("docs")
    folder.mkdir()
    for name in ("objects", "refs"):
        (folder / name).mkdir()
        (folder / name / ".keep").touch()
    (folder / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / "config").write_text(
        f"[core]\n\tbare = false\n\tworktree = {repo.root}\n\tfsmonitor = {canary}\n"
    )
    repo.commit()
    monkeypatch.chdir(folder)
    untouched.begin()
    with pytest.raises(UsageError, match="no working tree"):
        repo.review()
    untouched()


@pytest.mark.parametrize(
    "name", ["--output=evil", "-O/evil", "--upload-pack=evil", "main\n--all", "$(evil)", "`x`"]
)
def test_a_name_of_a_revision_is_never_an_option(repo, untouched, name):
    untouched.begin()
    for call in ((name, None), ("main", name), (f"{name}...main", None)):
        with pytest.raises(UsageError):
            repo.review(*call)
    untouched()


def test_a_path_is_never_a_pattern(repo):
    repo.write("a[1]*.yaml", repo.config.replace("btc-eth", "odd"))
    repo.write("a1b.yaml", "version: 1\n")
    repo.commit()
    look = repo.review("main", "branch", files=("a[1]*.yaml",))
    assert look.change("strategies", "odd").kind is ChangeKind.ADDED


def test_an_embedded_tree_with_one_name_twice_is_refused(repo):
    """A checkout would hold one of the two, and nobody could say which."""
    good = repo.git("rev-parse", "main:connections.yaml")
    bad = repo.git("hash-object", "-w", "--stdin", stdin=repo.config.replace('"500"', '"900"').encode())
    rest = repo.git("ls-tree", "main").splitlines()
    entries = [line for line in rest if "connections.yaml" not in line]
    entries += [f"100644 blob {bad}\tconnections.yaml", f"100644 blob {good}\tconnections.yaml"]
    tree = repo.git("mktree", stdin="\n".join(entries).encode())
    commit = repo.git("commit-tree", tree, "-p", "main", "-m", "two of one name")
    with pytest.raises(UsageError, match="twice"):
        repo.review("main", commit)


def bomb(repo, levels):
    """A commit whose few trees name each other: ten to the power of ``levels`` files."""
    blob = repo.git("hash-object", "-w", "--stdin", stdin=b"x")
    entry = f"100644 blob {blob}"
    for _ in range(levels):
        listed = "".join(f"{entry}\tf{n}\n" for n in range(10))
        entry = f"040000 tree {repo.git('mktree', stdin=listed.encode())}"
    root = repo.git("mktree", stdin=f"{repo.git('ls-tree', 'main')}\n{entry}\tzz\n".encode())
    return repo.git("commit-tree", root, "-p", "main", "-m", "boom")


def test_a_tree_of_more_files_than_a_disk_holds_is_refused(repo, monkeypatch):
    monkeypatch.setattr("reconciler.review.git.MAX_MEMORY", 64 << 20)
    monkeypatch.setattr("reconciler.review.git.MAX_ANSWER", 4 << 20)
    head = bomb(repo, 9)
    with pytest.raises(UsageError, match="more than can be looked at"):
        repo.review("main", head)
    after = repo.git("commit-tree", "main^{tree}", "-p", head, "-m", "as it was")
    with pytest.raises(UsageError, match="more than can be looked at"):
        repo.review("main", after)


def test_a_file_too_large_to_be_read_is_not_read_past(repo):
    for name in ("a.bin", "b.bin"):
        with repo.path(name).open("wb") as file:
            file.truncate(64 << 20)
    repo.write("z.txt", "tail")
    repo.commit()
    look = repo.review("main", "branch")
    assert look.passes
    assert [one.mark.file for one in look.review.concerns] == ["a.bin", "b.bin"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_review_that_is_told_to_end_leaves_no_git_behind(repo, tmp_path, number):
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text(
        f"#!/bin/sh\necho $$ > {tmp_path}/new\nmv {tmp_path}/new {tmp_path}/pid\nexec sleep 600\n"
    )
    slow.chmod(0o700)
    environ = os.environ | {"PATH": f"{slow.parent}:{os.environ['PATH']}"}
    call = [sys.executable, "-m", "reconciler.cli", "diff", "main"]
    with subprocess.Popen(call, env=environ, stderr=subprocess.PIPE) as process:
        while not (tmp_path / "pid").exists():
            time.sleep(0.02)
        process.send_signal(number)
        _, said = process.communicate(timeout=120)
    assert process.returncode == ExitCode.INTERRUPTED
    assert said.strip() == b"Interrupted; nothing further was done."
    child = Path("/proc") / (tmp_path / "pid").read_text().strip() / "cmdline"
    assert not child.exists() or not child.read_bytes()
