"""git as a reader of objects: plumbing only, with everything off that would run a program of somebody's.

No hook, filter, text conversion, external diff, replacement object, graft, submodule or remote takes part
(https://git-scm.com/docs/git, "Environment Variables"), and a folder of the tree that looks like a bare
repository is none: what a pull request holds is data.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from types import TracebackType
from typing import IO, Final, Self

from reconciler.git.plumbing import OFF, SET
from reconciler.model.errors import UsageError

#: Seconds after which a git that reads a local repository surely hangs.
TIME_LIMIT: Final = 120.0
_MAX_SAID: Final = 64 << 10

#: Bytes of the longest answer that is read. Some hundred bytes of objects may stand for more files than a
#: disk holds, each tree naming another one many times.
MAX_ANSWER: Final = 64 << 20
MAX_MEMORY: Final = 1 << 30

if sys.platform == "linux":
    import resource

_DAMAGED: Final = "try `git fsck`: the repository may be damaged"

#: What git itself needs: the home folder for ``safe.directory``, which says whose repositories it may read.
_KEPT: Final = ("PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR", "SYSTEMROOT", "GIT_CEILING_DIRECTORIES")


class Git:
    """One repository, found from a folder inside it. Use it as a context: it holds a child process.

    ``top`` is the root of its working tree and ``prefix`` the folder it was found from, relative to
    ``top`` with a slash at its end (empty for ``top`` itself).
    """

    def __init__(self, folder: str, environ: Mapping[str, str], *, limit: float = TIME_LIMIT) -> None:
        """Find the repository around ``folder``. Raise ``UsageError`` where there is none, or no git.

        ``limit`` is in seconds, for each command.
        """
        self._limit = limit
        self._environ = {name: environ[name] for name in _KEPT if name in environ} | SET
        self._folder = folder
        self._objects: _Objects | None = None
        self.prefix = self._line("rev-parse", "--show-prefix")
        self.top = self._folder = self._line("rev-parse", "--show-toplevel")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._forget()

    def try_line(self, *arguments: str) -> str | None:
        """The one line that a command prints, or ``None`` where it fails: what is asked for is not there."""
        done = self._run(arguments)
        return None if done.returncode else _text(done.stdout).rstrip("\n")

    def fields(self, *arguments: str, stdin: bytes = b"") -> list[str]:
        """What a command prints, split at NUL. Raise ``UsageError`` where it fails."""
        done = self._run(arguments, stdin=stdin)
        if done.returncode:
            raise self._refused(arguments, done.stderr)
        return _text(done.stdout).split("\0")[:-1]

    def lines(self, *arguments: str) -> list[str]:
        """What a command prints, by line. Raise ``UsageError`` where it fails."""
        done = self._run(arguments)
        if done.returncode:
            raise self._refused(arguments, done.stderr)
        return _text(done.stdout).splitlines()

    def blob(self, oid: str, *, limit: int) -> bytes | None:
        """The bytes of a blob; ``None`` where it has more than ``limit`` of them or is not here.

        In a partial clone an object may be missing: it is never fetched. Raise ``UsageError`` where the
        repository is damaged.
        """
        if self._objects is None:
            self._objects = _Objects(self._start("cat-file", "--batch"))
        try:
            return self._objects.read(oid, limit)
        except _TooLarge:
            self._forget()
            return None
        except (BrokenPipeError, ValueError):
            self._forget()
        if self._partial:
            return None  # git ends where it may not fetch, and is started anew for the next
        raise UsageError("git ended while it was read from", hint=_DAMAGED)

    def _forget(self) -> None:
        """End the process that gives objects; the next one that is asked for starts another."""
        if self._objects is not None:
            self._objects.close()
            self._objects = None

    @cached_property
    def _partial(self) -> bool:
        """Whether this is a partial clone, whose objects may lie elsewhere."""
        promised = r"^(extensions\.partialclone|remote\..*\.promisor)$"
        return self.try_line("config", "--get-regexp", promised) is not None

    def _line(self, *arguments: str) -> str:
        done = self._run(arguments)
        if done.returncode:
            raise self._refused(arguments, done.stderr)
        return _text(done.stdout).removesuffix("\n")

    def _run(self, arguments: Sequence[str], *, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
            given.write(stdin)
            given.seek(0)
            try:
                process = subprocess.Popen(  # noqa: S603 - no shell, and every argument is ours or follows an option's end
                    self._command(arguments),
                    env=self._environ,
                    stdin=given,
                    stdout=subprocess.PIPE,
                    stderr=said,
                )
            except FileNotFoundError:
                raise UsageError("git was not found", hint="install git, or put it on PATH") from None
            output = _answer(process, arguments[0], self._limit)
            said.seek(0)
            return subprocess.CompletedProcess(arguments, process.returncode, output, said.read(_MAX_SAID))

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(  # noqa: S603 - the same
            self._command(arguments),
            env=self._environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        _bound(process)
        return process

    def _command(self, arguments: Sequence[str]) -> list[str]:
        return ["git", "-C", self._folder, *OFF, *arguments]

    def _refused(self, arguments: Sequence[str], stderr: bytes) -> UsageError:
        if b"not a git repository" in stderr:
            return UsageError("this is no git repository", hint="run it inside a checkout")
        if b"ut of memory" in stderr:
            return _too_much(arguments[0])
        if b"dubious ownership" in stderr:
            return UsageError(
                "git does not trust this repository: it belongs to another user",
                hint="git config --global --add safe.directory PATH, once you trust it",
            )
        if b"must be run in a work tree" in stderr or b"cannot use bare repository" in stderr:
            return UsageError("this repository has no working tree", hint="run it inside a checkout")
        return UsageError(f"git {arguments[0]} failed here", hint=_DAMAGED)


def _bound(process: subprocess.Popen[bytes]) -> None:
    """Let git have at most :data:`MAX_MEMORY`, packs not counted: it lists what two trees differ in there."""
    if sys.platform == "linux":
        with suppress(OSError, ValueError):
            resource.prlimit(process.pid, resource.RLIMIT_DATA, (MAX_MEMORY, MAX_MEMORY))


def _too_much(what: str) -> UsageError:
    return UsageError(
        f"these revisions hold more than can be looked at: git {what} would not end",
        hint="name a nearer base; if a change is small and says so, do not check it out",
    )


def _answer(process: subprocess.Popen[bytes], what: str, limit: float) -> bytes:
    """What ``process`` prints until it ends. Raise ``UsageError`` where that is too slow or too much."""
    late = threading.Event()

    def end() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(limit, end)
    try:
        timer.start()
        _bound(process)
        with process:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            output = process.stdout.read(MAX_ANSWER + 1)
            if len(output) > MAX_ANSWER:
                process.kill()
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        timer.cancel()
    if late.is_set():
        raise UsageError(
            f"git {what} did not end within {limit:.0f} seconds",
            hint="look whether the repository lies on a disk that answers",
        )
    if len(output) > MAX_ANSWER:
        raise _too_much(what)
    return output


class _TooLarge(Exception):
    """An object is not worth reading to its end."""


class _Objects:
    """A ``git cat-file --batch`` that is asked for one object after the other."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def read(self, oid: str, limit: int) -> bytes | None:
        """The object. Raise ``_TooLarge``, or ``BrokenPipeError`` or ``ValueError`` where git ended."""
        given, got = self._process.stdin, self._process.stdout
        assert given is not None  # noqa: S101 - both are pipes
        assert got is not None  # noqa: S101 - the same
        given.write(f"{oid}\n".encode())
        given.flush()
        header = got.readline()
        if not header:
            raise ValueError("the stream ended early")
        _, _, size = header.rpartition(b" ")
        return _body(got, int(size), limit) if size.strip().isdigit() else None

    def close(self) -> None:
        """End the process; there is nothing that it could lose."""
        with suppress(BrokenPipeError):
            if self._process.stdin:
                self._process.stdin.close()
        if self._process.stdout:
            self._process.stdout.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _body(stream: IO[bytes], size: int, limit: int) -> bytes:
    """The object that follows its header and the newline after it."""
    if size > limit:
        raise _TooLarge
    return _exactly(stream, size + 1)[:-1]


def _exactly(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise ValueError("the stream ended early")
    return data


def _text(output: bytes) -> str:
    """Paths are bytes to git; what is no UTF-8 survives as lone surrogates and is shown escaped."""
    return output.decode("utf-8", "surrogateescape")
