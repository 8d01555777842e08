"""What a service manager wants to hear (sd_notify): ready, alive, reloading, stopping.

The protocol is one datagram of ``NAME=value`` lines to the socket that ``NOTIFY_SOCKET`` names; see
https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html. Ten lines need no library.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

#: Bytes of a status line; a service manager shows one line.
_STATUS_LIMIT = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervisor:
    """The service manager of this process, if any: ``address`` is ``None`` without one.

    ``watchdog`` is after how many seconds of silence it ends this process; ``None`` for never.
    """

    address: str | None = None
    watchdog: float | None = None

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """The one that the environment names; a watchdog for another process is none of ours."""
        address = environ.get("NOTIFY_SOCKET") or None
        microseconds, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
        ours = not pid or pid == str(os.getpid())
        watched = address and ours and microseconds.isdecimal() and int(microseconds) > 0
        return cls(address=address, watchdog=int(microseconds) / 1_000_000 if watched else None)

    def ready(self) -> None:
        """It is at work; also after a reload."""
        self._tell("READY=1")

    def alive(self) -> None:
        """It is not stuck; to be said at least twice in the time of the watchdog."""
        self._tell("WATCHDOG=1")

    def reloading(self) -> None:
        """It reads its files again, and says :meth:`ready` once that is done."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """It was told to end, and does."""
        self._tell("STOPPING=1")

    def status(self, text: str) -> None:
        """What it does, in one line for people."""
        line = " ".join(text.split()).encode()[:_STATUS_LIMIT].decode(errors="ignore")
        self._tell(f"STATUS={line}")

    def _tell(self, *lines: str) -> None:
        """Send it. A service manager that does not listen is no reason to end, or to wait."""
        if self.address is None:
            return
        # An @ stands for the zero byte that begins the name of a socket without a file.
        address = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.settimeout(0)
            out.sendto("\n".join(lines).encode(), address)
