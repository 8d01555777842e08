"""The protocol behind which every runtime stands, and what each is opened with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from reconciler.model.desired import OnDisable, RuntimeSpec, Strategy
from reconciler.model.plan import InventoryItem, RunningStrategy
from reconciler.model.secret import Secret
from reconciler.model.taking import NOTHING, Takes
from reconciler.runtimes.kubeconfig import Kubeconfig
from reconciler.runtimes.ledger import LedgerRows

READ_SECONDS: Final = 30.0
"""How long a pass waits for one runtime to tell what it holds: for all of its calls and retries."""

ACT_SECONDS: Final = 120.0
"""How long a pass waits for one act, with what a driver does to prove that it took effect."""


class Runtime(Protocol):
    """One system that executes strategies. Only ``read`` and ``close`` may be called by a dry run.

    The acting methods are idempotent: enabling what is enabled on the same connection with the same
    parameters does nothing. ``connection`` is the id of the one whose key passed every check:
    ``strategy`` trades on it and on no other from then on. ``token`` is the fencing token of the
    applier's lease; a runtime that can compare it refuses an older one with
    :class:`reconciler.model.errors.LockHeld`.

    Each raises :class:`reconciler.model.errors.RuntimeFailed`, which says whether the runtime surely did
    nothing, another :class:`reconciler.model.errors.ReconcilerError` when it surely did nothing, and may
    raise anything else, or be cancelled by the engine's time limit, when the outcome is unknown: the
    engine reads back either way. No message of an error holds a secret.
    """

    async def read(self) -> Mapping[str, RunningStrategy]:
        """Everything that the runtime holds, by strategy id, ours or not. What is absent is not in it."""

    async def enable(
        self, strategy: str, parameters: Mapping[str, Any], *, connection: str, token: int
    ) -> None:
        """Start ``strategy`` on ``connection`` with ``parameters``."""

    async def change(
        self, strategy: str, parameters: Mapping[str, Any], *, connection: str, token: int
    ) -> None:
        """Give a running ``strategy`` new ``parameters``, another ``connection``, or both."""

    async def disable(self, strategy: str, *, token: int, how: OnDisable) -> None:
        """Stop ``strategy`` from opening anything; nothing that it holds is closed.

        ``how`` is ``STOP`` or ``STOP_ENTRIES``, never ``CLOSE_FIRST_MANUAL``. With ``STOP`` one that opens
        nothing, and still manages what it holds, stops altogether; with ``STOP_ENTRIES`` one that is off
        stays as it is. A runtime that knows only one of the two does that.
        """

    async def close(self) -> None:
        """Let go of connections; nothing is asked afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a runtime is opened with, for one pass.

    ``wanted`` are git's strategies on it and ``enabled`` what this tool enabled on it, by strategy id:
    a runtime that knows bots by names of its own finds theirs in these. ``credentials`` holds every
    field that the type needs. ``timeout`` is in seconds for one request; ``sleep`` waits between two looks.
    ``allow_commands``: the operator lets programs be started that the files choose. ``kubeconfig`` is what
    the operator named for it, and ``environ`` the environment of this process, of which each driver takes
    what it needs; ``learn`` is told secrets that the runtime finds by itself, so that no output shows them.
    """

    spec: RuntimeSpec
    state: LedgerRows
    wanted: Mapping[str, Strategy] = field(default_factory=dict)
    enabled: Mapping[str, InventoryItem] = field(default_factory=dict)
    credentials: Mapping[str, Secret] = field(default_factory=dict)
    timeout: float = 10.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    allow_commands: bool = False
    kubeconfig: Kubeconfig | None = None
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    learn: Callable[[Iterable[Secret]], None] = lambda _: None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeType:
    """One type of runtime, as the registry lists it.

    ``credentials`` are the fields of its secret file, none where it has no file. ``single``: it runs one
    strategy and no more. ``settings`` are the strategy settings that its driver understands, ``None``
    where it takes any. ``place`` tells which bot of the runtime a strategy with such parameters is, in
    words, and raises ``ValueError`` where they do not say; no two strategies can be the same bot.
    ``takes`` says which other parameters it is given, or is compared with: what is not in it nobody
    enforces, and ``validate`` tells that of each strategy that states it.

    ``disables`` are the ways in which it can disable, of ``STOP`` and ``STOP_ENTRIES``: the first is what it
    does unless the files choose. ``tells_positions``: it can say which positions a strategy has open.
    ``stops_at_once``: how many calls of ``disable`` may be under way in it. More than one where a stop is
    waited for, and neither driver nor server mind.
    """

    name: str
    open: Callable[[Opening], Runtime]
    credentials: tuple[str, ...] = ()
    single: bool = False
    settings: frozenset[str] | None = None
    place: Callable[[RuntimeSpec, Mapping[str, Any]], str] | None = None
    takes: Takes = field(default_factory=lambda: NOTHING)
    disables: tuple[OnDisable, ...] = (OnDisable.STOP,)
    tells_positions: bool = False
    stops_at_once: int = 1
