"""A state of one's own in each kind of database, and a clock that moves when told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconciler.state.store import Store, open_for_writing

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


class ManualClock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where ``url`` points to; who asks for it is about the file."""
    return tmp_path / "kept" / "state.db"


@pytest.fixture
def url(state_url: str) -> str:
    return state_url


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with open_for_writing(url) as opened:
        yield opened


@pytest.fixture
def traces() -> Callable[[Path], dict[str, tuple[bytes, int, int]]]:
    """Everything in a folder: content, time of change and mode by name."""

    def look(folder: Path) -> dict[str, tuple[bytes, int, int]]:
        if not folder.exists():
            return {}
        return {
            str(item.relative_to(folder)): (
                item.read_bytes() if item.is_file() else b"",
                item.stat().st_mtime_ns,
                item.stat().st_mode,
            )
            for item in sorted(folder.rglob("*"))
        }

    return look


@pytest.fixture
def spawn() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts Python on a piece of code, with its arguments, to talk to line by line; ends with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
        pipe = subprocess.PIPE
        child = subprocess.Popen(
            command, text=True, bufsize=1, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
        )
        started.append(child)
        return child

    yield start
    for child in started:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)  # with all that it forked, also when it is stopped
        child.wait()
        for stream in (child.stdin, child.stdout, child.stderr):
            with suppress(BrokenPipeError):
                stream.close()
