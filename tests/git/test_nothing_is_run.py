"""A repository, and whoever writes to it, may name programs in many places. Following it starts none."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.model.errors import ReconcilerError

ATTRIBUTES = "* text=auto filter=evil diff=evil merge=evil working-tree-encoding=UTF-8\n"


@pytest.fixture
def canary(tmp_path):
    """A program that leaves a file behind when anything starts it."""
    program = tmp_path / "evil"
    program.write_text(f'#!/bin/sh\necho "$0 $*" >> {tmp_path}/ran\nexit 0\n')
    program.chmod(0o700)
    return program


def settings(program: Path, hooks: Path) -> str:
    """A configuration of git that names ``program`` wherever one can be named."""
    return f"""\
[core]
	fsmonitor = {program}
	hooksPath = {hooks}
	sshCommand = {program}
	gitProxy = {program}
	askPass = {program}
	alternateRefsCommand = {program}
[credential]
	helper = {program}
[filter "evil"]
	clean = {program}
	smudge = {program}
	process = {program}
	required = true
[diff "evil"]
	textconv = {program}
	command = {program}
[gpg]
	program = {program}
[gpg "ssh"]
	program = {program}
	defaultKeyCommand = {program}
[log]
	showSignature = true
[protocol]
	allow = always
[protocol "ext"]
	allow = always
[url "ext::sh -c {program} "]
	insteadOf = file://
[uploadpack]
	packObjectsHook = {program}
[fetch]
	fsckObjects = true
	recurseSubmodules = true
[submodule]
	recurse = true
[init]
	templateDir = {hooks.parent}
[alias]
	ls-tree = "!{program}"
	cat-file = "!{program}"
	fetch = "!{program}"
"""


def arm(upstream, canary, home: Path) -> None:
    """Hooks, filters and settings everywhere: in the repository, in the user's home, in a template."""
    template = home / "template"
    hooks = template / "hooks"
    hooks.mkdir(parents=True)
    for name in (
        "post-checkout",
        "reference-transaction",
        "post-merge",
        "post-rewrite",
        "fsmonitor-watchman",
    ):
        (hooks / name).write_bytes(canary.read_bytes())
        (hooks / name).chmod(0o700)
    (home / ".gitconfig").write_text(settings(canary, hooks))
    upstream.write(".gitattributes", ATTRIBUTES)
    upstream.write(
        ".gitmodules", f'[submodule "x"]\n\tpath = x\n\turl = ext::sh -c {canary}\n\tupdate = !{canary}\n'
    )
    upstream.write(".lfsconfig", f"[lfs]\n\turl = {canary}\n")
    upstream.commit()
    upstream.git("update-index", "--add", "--cacheinfo", f"160000,{upstream.head},x")
    upstream.git("commit", "--quiet", "--message=a submodule")


async def test_no_program_that_anybody_names_is_started(upstream, follow, canary, tmp_path, environ):
    arm(upstream, canary, tmp_path / "home")
    source = follow()
    first = await source.refresh()
    assert first.commit == upstream.head
    assert Path(first.top, first.files[0]).read_bytes() == (upstream.root / "connections.yaml").read_bytes()
    upstream.commit()
    await source.refresh()
    assert not (tmp_path / "ran").exists(), (tmp_path / "ran").read_text()


@pytest.mark.parametrize(
    "variables",
    [
        {"GIT_DIR": "/nowhere", "GIT_WORK_TREE": "/nowhere", "GIT_INDEX_FILE": "/nowhere"},
        {"GIT_OBJECT_DIRECTORY": "/nowhere", "GIT_COMMON_DIR": "/nowhere", "GIT_NAMESPACE": "x"},
        {"GIT_ASKPASS": "{0}", "SSH_ASKPASS": "{0}", "GIT_PAGER": "{0}", "GIT_PROXY_COMMAND": "{0}"},
        {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.fsmonitor", "GIT_CONFIG_VALUE_0": "{0}"},
        {"GIT_CONFIG_PARAMETERS": "'url.ext::{0}.insteadOf'='file://'", "GIT_CONFIG_GLOBAL": "/nowhere"},
        {"GIT_EXEC_PATH": "/nowhere", "GIT_TEMPLATE_DIR": "/nowhere", "GIT_REPLACE_REF_BASE": "refs/heads/"},
        {"GIT_ALLOW_PROTOCOL": "ext", "GIT_TRACE": "/dev/stdout", "GIT_SHALLOW_FILE": "/nowhere"},
        {"GIT_SSL_NO_VERIFY": "1", "GIT_HTTP_USER_AGENT": "x", "GIT_QUARANTINE_PATH": "/nowhere"},
    ],
    ids=lambda variables: next(iter(variables)),
)
async def test_no_variable_of_git_steers_what_is_taken(  # noqa: PLR0917 - fixtures
    upstream, follow, canary, environ, tmp_path, variables
):
    mine = environ | {name: text.format(canary) for name, text in variables.items()}
    revision = await follow(environ=mine).refresh()
    assert revision.commit == upstream.head
    assert not (tmp_path / "ran").exists()


async def test_a_server_that_asks_for_a_password_starts_no_program(  # noqa: PLR0917 - fixtures
    upstream, web, follow, canary, environ, tmp_path
):
    arm(upstream, canary, tmp_path / "home")
    web.token = "Basic nobody"
    mine = environ | {"GIT_ASKPASS": str(canary), "SSH_ASKPASS": str(canary), "DISPLAY": ":0"}
    with pytest.raises(ReconcilerError):
        await follow(web.url, environ=mine).refresh()
    assert not (tmp_path / "ran").exists()


async def test_objects_are_the_true_ones_whatever_replaces_them(upstream, follow):
    good = upstream.head
    bad = upstream.commit()
    upstream.git("replace", bad, good)
    revision = await follow().refresh()
    assert revision.commit == bad
    assert (
        Path(revision.top, revision.files[0]).read_bytes()
        == (upstream.root / "connections.yaml").read_bytes()
    )
