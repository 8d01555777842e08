"""Killed anywhere, and several at once: the next one finds all well, and nothing half-written is read."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.engine import kept
from reconciler.model.errors import LockHeld

FOLLOW = """
import asyncio, os, sys
from pathlib import Path
from reconciler.engine.follow import Followed, Following
from reconciler.git.remote import remote
url, cache = sys.argv[1:]
following = Following(remote=remote(url), files=("connections.yaml",), cache=Path(cache), time_limit=200)
with Followed(following, os.environ) as source:
    revision = asyncio.run(source.refresh())
    print(revision.commit, Path(revision.top, revision.files[0]).read_text().splitlines()[-1])
"""


def start(url: str, cache: Path, environ: dict[str, str]) -> subprocess.Popen[str]:
    call = [sys.executable, "-c", FOLLOW, url, str(cache)]
    return subprocess.Popen(call, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def leftovers(tmp_path: Path) -> list[Path]:
    return [*tmp_path.glob("cache/*/new-*"), *tmp_path.glob("cache/*/.*")]


async def test_many_followers_at_once_do_not_disturb_each_other(upstream, follow, environ, tmp_path):
    first = await follow().refresh()
    head = upstream.commit()
    last = (upstream.root / "connections.yaml").read_text().splitlines()[-1]
    followers = [start(upstream.url, tmp_path / "cache", environ) for _ in range(6)]
    said = [follower.communicate(timeout=200) for follower in followers]
    assert [out.strip() for out, _ in said] == [f"{head} {last}"] * 6, said
    assert first.commit != head
    assert not leftovers(tmp_path)


async def test_killed_while_it_fetches(upstream, web, follow, environ, tmp_path):
    """Its git lives on for a while and keeps the lock: nobody clears away what it still writes."""
    first = await follow(web.url).refresh()
    head = upstream.commit()
    web.stall = 60
    follower = start(web.url, tmp_path / "cache", environ)
    await asyncio.to_thread(web.stalled.wait, 120)
    follower.send_signal(signal.SIGKILL)
    follower.communicate(timeout=120)
    assert list(tmp_path.glob("cache/*/new-*"))
    web.stall = None
    with pytest.raises(LockHeld, match="another process is fetching"):
        await follow(web.url, time_limit=0.2).refresh()
    web.go.set()
    revision = await follow(web.url).refresh()
    assert (revision.commit, first.commit == head) == (head, False)
    assert not leftovers(tmp_path)


#: More steps than one refresh takes: beyond them nothing is left to be interrupted.
ENOUGH = 22


class Killed(BaseException):
    """Stands for the end of the process: nothing of ours may catch it."""


@pytest.mark.parametrize("nth", range(1, ENOUGH + 1))
async def test_ended_at_any_step_on_the_disk(upstream, follow, tmp_path, monkeypatch, nth):
    """Every step that changes the disk is one at which the process may be gone."""
    source = follow()
    first = await source.refresh()
    source.good(first)
    head = upstream.commit()
    left = [nth]

    def mortal(real):
        def step(*arguments, **more):
            left[0] -= 1
            if left[0] <= 0:
                raise Killed  # the dead do not clean up
            return real(*arguments, **more)

        return step

    with monkeypatch.context() as patch:
        for where, name in (
            (os, "fsync"),
            (Path, "mkdir"),
            (Path, "rename"),
            (Path, "replace"),
            (kept.tempfile, "mkdtemp"),
            (kept.tempfile, "mkstemp"),
            (kept.shutil, "rmtree"),
        ):
            patch.setattr(where, name, mortal(getattr(where, name)))
        died = False
        try:
            await follow().refresh()
        except Killed:
            died = True
    again = follow()
    revision = await again.refresh()
    assert revision.commit == head
    assert (
        Path(revision.top, revision.files[0]).read_bytes()
        == (upstream.root / "connections.yaml").read_bytes()
    )
    assert again.last_good() == first
    upstream.commit()
    await again.refresh()
    assert not leftovers(tmp_path)
    assert died or nth > 10
    assert not died or nth < ENOUGH


async def test_files_that_somebody_reads_are_not_removed(upstream, follow, tmp_path):
    slow = follow()
    read = await slow.refresh()
    quick = follow()
    for _ in range(3):
        upstream.commit()
        await quick.refresh()
    assert Path(read.top, read.files[0]).is_file()
    slow.close()
    upstream.commit()
    await quick.refresh()
    assert not Path(read.top, read.files[0]).exists()


async def test_another_one_who_took_it_meanwhile_is_believed(upstream, follow, web):
    first, second = follow(web.url), follow(web.url)
    await first.refresh()
    await second.refresh()
    upstream.commit()
    one = await first.refresh()
    fetched = web.fetches
    assert await second.refresh() == one
    assert web.fetches == fetched
