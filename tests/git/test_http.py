"""Servers that are slow, break off, refuse, send elsewhere or are away; and what goes with a token."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
from pathlib import Path

import pytest

from reconciler.git.remote import remote
from reconciler.model.errors import RemoteRefused, RemoteUnreachable, UsageError
from reconciler.model.secret import Secret

TOKEN = "tok3n-q7Zr4canary9Kd2Xw8"


def basic(token: str, user: str = "git") -> str:
    return "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode()


def processes() -> dict[int, str]:
    """The command line and environment of every process that can be looked at."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with contextlib.suppress(OSError):
                said = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
                found[int(folder.name)] = said.decode("utf-8", "replace")
    return found


def gits_of(cache: Path) -> list[int]:
    return [
        pid for pid, said in processes().items() if "git" in said.partition("\0")[0] and str(cache) in said
    ]


async def until_gone(cache: Path) -> None:
    """No git that works in this cache is left; bounded by the test's own time limit."""
    while gits_of(cache):  # noqa: ASYNC110 - a process tells nobody here that it has ended
        await asyncio.sleep(0.02)


async def test_a_server_is_followed(upstream, web, follow):
    source = follow(web.url)
    first = await source.refresh()
    assert (first.commit, web.fetches) == (upstream.head, 1)
    assert await source.refresh() == first
    assert web.fetches == 1
    head = upstream.commit()
    assert (await source.refresh()).commit == head
    assert web.fetches == 2


@pytest.mark.parametrize("bytes_", [0, 1, 100, 300])
async def test_an_answer_that_breaks_off_gives_nothing(upstream, web, follow, tmp_path, bytes_):
    source = follow(web.url)
    first = await source.refresh()
    upstream.commit(**{"more.txt": "x" * 5000})
    web.cut = bytes_
    with pytest.raises(RemoteUnreachable):
        await source.refresh()
    assert not list(tmp_path.glob("cache/*/new-*"))
    assert Path(first.top, first.files[0]).is_file()
    web.cut = None
    assert (await source.refresh()).commit == upstream.head


async def test_a_server_that_is_too_slow_is_left_and_no_git_stays(upstream, web, follow, tmp_path):
    await follow(web.url).refresh()
    upstream.commit()
    web.stall = 60
    with pytest.raises(RemoteUnreachable, match="within 1 second"):
        await follow(web.url, time_limit=1.0).refresh()
    assert not gits_of(tmp_path / "cache")
    assert not list(tmp_path.glob("cache/*/new-*"))


async def test_a_run_that_is_cancelled_leaves_no_git(web, follow, tmp_path):
    web.stall = 60
    task = asyncio.create_task(follow(web.url).refresh())
    await asyncio.to_thread(web.stalled.wait, 20)
    assert gits_of(tmp_path / "cache")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until_gone(tmp_path / "cache")


async def test_a_server_that_is_away_is_told_in_the_same_words_each_time(upstream, web, follow):
    source = follow(web.url)
    first = await source.refresh()
    source.good(first)
    gone = follow("http://127.0.0.1:1/upstream/.git")
    said = []
    for _ in range(2):
        with pytest.raises(RemoteUnreachable) as error:
            await gone.refresh()
        said.append((str(error.value), error.value.hint))
    assert said[0] == said[1]
    assert "127.0.0.1:1" in said[0][0]
    assert source.last_good() == first


async def test_a_redirect_is_refused(upstream, web, follow):
    web.redirect = "http://127.0.0.1:1"
    with pytest.raises(RemoteRefused, match="no redirect is followed"):
        await follow(web.url).refresh()


async def test_a_repository_that_is_not_there_is_told(web, follow):
    with pytest.raises(RemoteRefused, match="no such repository"):
        await follow(web.url.replace("upstream", "nothing")).refresh()


async def test_a_folder_that_is_no_repository_is_told(follow, tmp_path):
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(RemoteRefused, match="no such repository"):
            await follow(str(path)).refresh()


# --- tokens


async def test_without_a_token_the_server_lets_nobody_in(web, follow):
    web.token = basic(TOKEN)
    with pytest.raises(RemoteRefused, match="does not let us read") as error:
        await follow(web.url).refresh()
    assert "--git-token-file" in error.value.hint


async def test_a_token_in_a_file_is_sent_and_may_change(upstream, web, follow, tmp_path):
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    web.token = basic(TOKEN)
    source = follow(web.url, token_file=str(file))
    assert (await source.refresh()).commit == upstream.head
    web.token = basic("another")
    with pytest.raises(RemoteRefused, match="does not let us read"):
        await source.refresh()
    file.write_text("another")
    await source.refresh()


async def test_a_token_in_the_url_is_sent_and_never_shown(upstream, web, follow):
    where = remote(web.url.replace("http://", f"http://robot:{TOKEN}@"))
    web.token = basic(TOKEN, "robot")
    assert (await follow(where).refresh()).commit == upstream.head
    assert TOKEN not in repr(where)
    assert TOKEN not in where.url
    web.token = "Basic other"
    with pytest.raises(RemoteRefused) as error:
        await follow(where).refresh()
    assert TOKEN not in f"{error.value} {error.value.hint} {error.value!r}"


async def test_a_token_is_in_no_command_line_no_environment_and_no_file(upstream, web, follow, tmp_path):
    seen, asked = [], []

    def look() -> None:
        said = "\n".join(processes().values())
        asked.append("git-remote-http" in said)
        kept = b"".join(path.read_bytes() for path in tmp_path.joinpath("cache").rglob("*") if path.is_file())
        seen.extend(form for form in forms if form in said or form.encode() in kept)

    forms = (TOKEN, basic(TOKEN).removeprefix("Basic "))
    file = tmp_path / "token"
    file.write_text(TOKEN)
    web.token, web.on_request = basic(TOKEN), look
    assert (await follow(web.url, token_file=str(file)).refresh()).commit == upstream.head
    look()
    assert not seen
    assert any(asked)


async def test_a_token_goes_to_no_other_host(upstream, web, follow, tmp_path):
    file = tmp_path / "token"
    file.write_text(TOKEN)
    where = remote("https://elsewhere.example/x.git").with_token(Secret(TOKEN))
    with where._secretly() as (environ, (descriptor,)):
        text = os.pread(descriptor, 4096, 0).decode()
    assert text.startswith('[http "https://elsewhere.example/"]\n')
    assert TOKEN not in str(environ)


@pytest.mark.parametrize("text", ["", "two words", "a\nb", "a\x00b", "ü"])
async def test_what_is_no_token_is_refused(web, follow, tmp_path, text):
    file = tmp_path / "token"
    file.write_text(text)
    with pytest.raises(UsageError, match="no token"):
        await follow(web.url, token_file=str(file)).refresh()


async def test_a_token_file_that_is_not_there_is_told(web, follow, tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        await follow(web.url, token_file=str(tmp_path / "none")).refresh()


async def test_a_token_is_not_for_ssh(follow, tmp_path):
    (tmp_path / "token").write_text(TOKEN)
    with pytest.raises(UsageError, match="https:// alone"):
        await follow("ssh://git@127.0.0.1/x.git", token_file=str(tmp_path / "token")).refresh()


# --- ssh


async def test_ssh_is_the_operators(upstream, follow, environ, tmp_path):
    """A stand-in for ssh that runs what it is told here, as the far end would."""
    program = tmp_path / "ssh"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\nwhile [ $# -gt 1 ]; do shift; done\nexec sh -c "$1"\n'
    )
    program.chmod(0o700)
    mine = environ | {"GIT_SSH_COMMAND": str(program)}
    source = follow(f"ssh://git@127.0.0.1{upstream.root}", environ=mine)
    assert (await source.refresh()).commit == upstream.head
    assert "git@127.0.0.1" in (tmp_path / "asked").read_text()
    assert (await follow(f"git@127.0.0.1:{upstream.root}", environ=mine).refresh()).commit == upstream.head


async def test_ssh_that_fails_is_told(follow, environ, tmp_path):
    said = {
        "Host key verification failed.": "host key",
        "git@127.0.0.1: Permission denied (publickey).": "does not let us read",
        "ssh: connect to host 127.0.0.1 port 22: Connection refused": "cannot be reached",
        "ssh: Could not resolve hostname nowhere": "cannot be reached",
    }
    for words, meant in said.items():
        program = tmp_path / "ssh"
        program.write_text(f'#!/bin/sh\necho "{words}" >&2\nexit 255\n')
        program.chmod(0o700)
        with pytest.raises((RemoteRefused, RemoteUnreachable), match=meant):
            await follow("git@127.0.0.1:x.git", environ=environ | {"GIT_SSH_COMMAND": str(program)}).refresh()


# --- URLs


@pytest.mark.parametrize(
    ("text", "url", "protocol"),
    [
        ("https://host.example/a/b.git", "https://host.example/a/b.git", "https"),
        ("https://me@host.example:8443/b", "https://host.example:8443/b", "https"),
        ("https://me:pw@[2001:db8::1]/b", "https://[2001:db8::1]/b", "https"),
        ("http://127.0.0.1:80/b", "http://127.0.0.1:80/b", "http"),
        ("ssh://git@host.example:2222/b.git", "ssh://git@host.example:2222/b.git", "ssh"),
        ("git@host.example:team/b.git", "git@host.example:team/b.git", "ssh"),
        ("file:///srv/b", "file:///srv/b", "file"),
        ("/srv/b c", "file:///srv/b%20c", "file"),
    ],
)
def test_urls_that_are_taken(text, url, protocol):
    found = remote(text)
    assert (found.url, found.protocol) == (url, protocol)


@pytest.mark.parametrize(
    "text",
    [
        *("", "-x", "--upload-pack=evil", "ext::sh -c evil", "fd::17", "git://host/x", "ftp://host/x"),
        *("http://host.example/x", "http://127.0.0.1.evil.example/x", "https:///x", "https://-host/x"),
        *("https://host/x?token=1", "https://host/x#1", "ssh://me:pw@host/x", "ssh://-oProxyCommand=evil/x"),
        *(
            "file://host/x",
            "https://ho st/x",
            "https://host:99999/x",
            "https://[::1/x",
            "a\nb",
            "transport::x:y",
        ),
        *("-oProxyCommand=evil:x", "ssh://-x@host/y", "https://me:p w@host/x"),
    ],
)
def test_urls_that_are_not(text):
    with pytest.raises(UsageError) as refused:
        remote(text)
    assert "pw" not in str(refused.value)
