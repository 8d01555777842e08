"""What the operator chose for one run; nothing of it comes from the reviewed files."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from reconciler.model.desired import Desired
from reconciler.runtimes.kubeconfig import Kubeconfig
from reconciler.secrets.redact import Redactor

Progress = Callable[[int, int], None]
"""Called with how many connections are done and how many there are."""


def utc_now() -> datetime:
    """The present moment in UTC."""
    return datetime.now(UTC)


def _unknown(_: Desired) -> str | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One run's settings.

    ``state`` is empty for a run that needs none. ``endpoints`` maps ``mexc`` or ``kucoin.futures``
    to a base URL; ``kubeconfigs`` are by the id of a runtime, ``""`` for all others. ``timeout`` is in
    seconds for one request; ``targets`` are ids of connections or
    strategies; ``redactor`` learns every secret that the run decrypts. ``lock_timeout`` is in seconds,
    how long an apply waits for another one; ``notice`` is called with what a person may want to know
    meanwhile. ``top`` is the folder that ``files`` are relative to, where the process does not run there;
    ``repository`` the options that name where they come from. ``committed`` is asked, in a thread, for the
    commit that what was just read is of, where that is known. ``settles``: what starts waits for
    ``policy.settle``, as in the loop; ``counts_back``: for so many seconds what was done counts towards
    the thresholds of later passes. ``allow_commands``: programs that the files choose may be started.
    """

    files: tuple[str, ...]
    state: str = ""
    sops: str | None = None
    endpoints: Mapping[str, str] = field(default_factory=dict)
    kubeconfigs: Mapping[str, Kubeconfig] = field(default_factory=dict)
    timeout: float = 10.0
    max_parallel: int = 64
    targets: tuple[str, ...] = ()
    lock_timeout: float = 0.0
    top: str = ""
    repository: tuple[str, ...] = ()
    committed: Callable[[Desired], str | None] = _unknown
    settles: bool = False
    counts_back: float = 0.0
    allow_commands: bool = False
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    now: Callable[[], datetime] = utc_now
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    progress: Progress | None = None
    notice: Callable[[str], None] | None = None
    redactor: Redactor = field(default_factory=Redactor)

    @property
    def lease_clock(self) -> Callable[[], datetime] | None:
        """What judges the lease: ``None`` for the state's own clock, unless the whole run has another."""
        return None if self.now is utc_now else self.now
