"""One bounded child process: own session, time limit, output limit, nobody left behind.

Three modules use it: ``secrets/sops.py``, ``git/plumbing.py`` and ``runtimes/command.py``. What a child
printed can be plaintext, so nothing here shows it.
"""

from __future__ import annotations

import os
import resource
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from threading import Event
from typing import IO, Final, Self

OUTPUT_LIMIT: Final = 16 << 20
"""Bytes of standard output that a child may give, unless it is told."""

_ERRORS_KEPT: Final = 64 << 10
_CHUNK: Final = 64 << 10
_POLL: Final = 0.2
"""Seconds after which a waiting pump looks whether it was cancelled."""


class Cut(Enum):
    """Why a child was ended by us."""

    TIME = auto()
    OUTPUT = auto()
    CANCELLED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a child ended. ``code`` is negative for a signal; ``cut`` says when we ended it.

    ``stdout`` and ``stderr`` may hold plaintext: they are for parsing and classifying only.
    """

    code: int
    stdout: bytes = field(repr=False)
    stderr: bytes = field(repr=False)
    cut: Cut | None = None


def run(
    argv: Sequence[str],
    *,
    stdin: bytes,
    env: Mapping[str, str],
    limit: float,
    grace: float,
    cancel: Event | None = None,
    output: int = OUTPUT_LIMIT,
    largest_file: int | None = None,
    fds: Sequence[int] = (),
) -> Ended:
    """How ``argv`` ended, given ``stdin`` and exactly the environment ``env``, in the folder ``/``.

    After ``limit`` seconds, more than ``output`` bytes or ``cancel``, its whole process group gets SIGTERM
    and ``grace`` seconds later SIGKILL, so that what it started does not outlive it. It has no
    terminal to prompt at. On Linux no file that it writes grows beyond ``largest_file`` bytes. It inherits
    ``fds``. Raise ``OSError`` when it cannot be started.
    """
    forbid_core_dumps()
    process = subprocess.Popen(  # noqa: S603 - no shell; argv[0] is an absolute path
        list(argv),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(env),
        cwd="/",
        start_new_session=True,
        pass_fds=tuple(fds),
    )
    if largest_file is not None and sys.platform == "linux":
        with suppress(OSError, ValueError):  # it may have ended already
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (largest_file, largest_file))
    with process, _Pump(process, stdin, cancel, output) as pump:
        finished = False
        try:
            cut = pump.until(time.monotonic() + limit) or _wait(process, limit)
            finished = cut is None
        finally:
            # Also when this thread is interrupted: a child must not outlive its reader.
            if not finished:
                _end_group(process, pump, grace)
        return Ended(code=process.wait(), stdout=bytes(pump.stdout), stderr=bytes(pump.stderr), cut=cut)


def forbid_core_dumps() -> None:
    """Make this process, and every child that it starts from now on, leave no core file.

    This process holds plaintext as well, so the limit is its own and children inherit it: a
    ``preexec_fn`` would not be safe beside threads.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def _wait(process: subprocess.Popen[bytes], limit: float) -> Cut | None:
    """Both pipes are at their end, so the child is ending, unless it closed them and lives on."""
    try:
        process.wait(timeout=limit)
    except subprocess.TimeoutExpired:
        return Cut.TIME
    return None


def _end_group(process: subprocess.Popen[bytes], pump: _Pump, grace: float) -> None:
    """Ask, then force. The leader is reaped last: until then its group id cannot be another's."""
    _signal(process, signal.SIGTERM)
    pump.drain(time.monotonic() + grace)
    _signal(process, signal.SIGKILL)
    process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)


class _Pump:
    """Feeds and drains one child without threads, within limits."""

    def __init__(
        self, process: subprocess.Popen[bytes], stdin: bytes, cancel: Event | None, limit: int
    ) -> None:
        self.stdout = bytearray()
        self.stderr = bytearray()
        self._rest = memoryview(stdin)
        self._cancel = cancel
        self._limit = limit
        self._selector = selectors.DefaultSelector()
        for stream, events in (
            (process.stdin, selectors.EVENT_WRITE),
            (process.stdout, selectors.EVENT_READ),
            (process.stderr, selectors.EVENT_READ),
        ):
            assert stream is not None  # noqa: S101 - all three are pipes
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, events, data=stream)
        self._stdin, self._stdout = process.stdin, process.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()

    def until(self, deadline: float) -> Cut | None:
        """Pump until both outputs end; what stopped it before that, if anything did."""
        while self._selector.get_map():
            if self._cancel and self._cancel.is_set():
                return Cut.CANCELLED
            left = deadline - time.monotonic()
            if left <= 0:
                return Cut.TIME
            self._step(min(left, _POLL))
            if len(self.stdout) > self._limit:
                return Cut.OUTPUT
        return None

    def drain(self, deadline: float) -> None:
        """Let the ending child write what it has, unkept, until it is gone or ``deadline``."""
        while self._selector.get_map() and (left := deadline - time.monotonic()) > 0:
            self._step(min(left, _POLL))
            self.stdout.clear()

    def _step(self, wait: float) -> None:
        for key, _ in self._selector.select(wait):
            stream: IO[bytes] = key.data
            if stream is self._stdin:
                self._feed(stream)
            else:
                self._read(stream)

    def _feed(self, stream: IO[bytes]) -> None:
        try:
            written = os.write(stream.fileno(), self._rest[:_CHUNK])
        except BrokenPipeError:
            self._close(stream)
            return
        self._rest = self._rest[written:]
        if not self._rest:
            self._close(stream)

    def _read(self, stream: IO[bytes]) -> None:
        chunk = os.read(stream.fileno(), _CHUNK)
        if not chunk:
            self._close(stream)
        elif stream is self._stdout:
            self.stdout += chunk
        else:
            self.stderr += chunk[: max(0, _ERRORS_KEPT - len(self.stderr))]

    def _close(self, stream: IO[bytes]) -> None:
        self._selector.unregister(stream)
        stream.close()
