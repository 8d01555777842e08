"""How git, and what it needs, is started: with everything off that would run a program of somebody's.

No hook, filter, text conversion, external diff, replacement object, graft or submodule takes part
(https://git-scm.com/docs/git, "Environment Variables"). The repositories that :class:`Plumbing` works in are
of our own making; it reads no configuration of the user or the machine either.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event
from typing import Final

from reconciler.child import Cut, Ended, run
from reconciler.model.errors import RemoteUnreachable, SourceError, UsageError

__all__ = ["GRACE", "MAX_PACK", "OFF", "SET", "TIME_LIMIT", "Cancelled", "Ended", "Plumbing"]

#: What is off for every git, whatever any configuration says.
OFF: Final = (
    "--no-pager",
    "--literal-pathspecs",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.attributesFile=/dev/null",
    "-c",
    "core.quotePath=false",
    "-c",
    "safe.bareRepository=explicit",
)

#: What every git finds in its environment.
SET: Final = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "",  # none, whatever the configuration allows
    "GIT_GRAFT_FILE": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
}

#: What the operator may say of the way to a remote: proxies, authorities, ssh and its agent.
_KEPT: Final = (
    *("PATH", "HOME", "TMPDIR", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "SSH_AUTH_SOCK"),
    *("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"),
    *("GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "SSL_CERT_FILE", "SSL_CERT_DIR"),
)
_UNCONFIGURED: Final = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}

#: Seconds for one command, and what it has to end itself when they are over.
TIME_LIMIT: Final = 120.0
GRACE: Final = 2.0

#: Bytes of the largest file that a command writes: a pack of all that was fetched.
MAX_PACK: Final = 512 << 20


class Cancelled(Exception):
    """The run that wanted an answer is over."""


class Plumbing:
    """Starts git, and the programs that judge signatures. ``fds`` are inherited by each of them.

    After ``limit`` seconds, or when ``cancel`` is set, what was started is ended with all that it started.
    """

    def __init__(
        self, environ: Mapping[str, str], *, cancel: Event | None = None, limit: float = TIME_LIMIT
    ) -> None:
        self.fds: list[int] = []
        self._cancel = cancel
        self._limit = limit
        self._path = environ.get("PATH", os.defpath)
        self._environ = {name: environ[name] for name in _KEPT if name in environ} | SET | _UNCONFIGURED
        self._environ.setdefault("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")

    def program(self, name: str) -> str:
        """The path of a program. Raise ``UsageError`` where it is not there."""
        found = shutil.which(name, path=self._path)
        if not found:
            raise UsageError(f"{name} was not found", hint=f"install {name}, or put it on PATH")
        return str(Path(found).absolute())

    def git(
        self,
        *arguments: str,
        folder: Path | None = None,
        stdin: bytes = b"",
        environ: Mapping[str, str] | None = None,
        fds: Sequence[int] = (),
        output: int = 16 << 20,
    ) -> Ended:
        """How git ended, in the bare repository ``folder`` or in none."""
        where = (f"--git-dir={folder.absolute()}",) if folder else ()
        argv = (self.program("git"), *where, *OFF, *arguments)
        return self.start(argv, stdin=stdin, environ=environ, fds=fds, output=output)

    def start(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        environ: Mapping[str, str] | None = None,
        fds: Sequence[int] = (),
        output: int = 16 << 20,
    ) -> Ended:
        """How a program ended. Raise ``SourceError`` where we had to end it, ``Cancelled`` when told to."""
        ended = run(
            argv,
            stdin=stdin,
            env={**self._environ, **(environ or {})},
            limit=self._limit,
            grace=GRACE,
            cancel=self._cancel,
            output=output,
            largest_file=MAX_PACK,
            fds=(*self.fds, *fds),
        )
        if ended.cut is Cut.CANCELLED:
            raise Cancelled
        if ended.cut is Cut.TIME:
            raise RemoteUnreachable(
                f"the repository did not give what was asked of it within {self._limit:.0f} seconds",
                hint="look at the network and the server, or at the size of the repository",
            )
        if ended.cut is Cut.OUTPUT:
            raise SourceError(
                "the repository holds more than can be looked at",
                hint="keep the configuration in a repository of its own",
            )
        return ended
