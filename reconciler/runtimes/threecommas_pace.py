"""How often 3Commas is asked: it bans for minutes whoever asks too often, and for days whoever goes on.

Limits as in ``docs/quick-start/9_limits.mdx`` of its documentation.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from reconciler.model.runtime_kinds import RuntimeFailureKind as Kind
from reconciler.runtimes.failing import failed

READS: Final = 90
"""Requests of the last minute after which nothing more is read: 3Commas bans who sends more than 100."""

STARTS: Final = 60
"""Requests of the last minute after which nothing more is started: the rest is for looking and stopping."""

STOPS: Final = 98
"""Requests of the last minute after which even a stop waits, until some of them are older: one too many,
and nothing could be stopped for five minutes. Two less than 100, as they do not arrive as they left."""

_MINUTE: Final = 60.0

#: Seconds for which nothing is sent after a refusal of that status: that of 429 is documented; the shortest
#: ban of an address has two minutes, and bans grow with every request that is sent all the same.
_RESTS: Final = {429: 300.0, 418: 600.0}


class Pace:
    """How often one API was asked lately, and until when it refuses everything. ``clock`` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sent: deque[float] = deque()
        self._until: dict[str, float] = {}

    def wait(self) -> float:
        """Seconds until one more request is surely within the limit of 3Commas."""
        now = self._clock()
        self._forget(now)
        return self._sent[-STOPS] + _MINUTE - now if len(self._sent) >= STOPS else 0.0

    def take(self, call: str, *, most: int | None, group: str = "") -> None:
        """Count a request that is about to be sent. Raise ``RuntimeFailed`` for one that must not be."""
        now = self._clock()
        rest = max(self._until.get("", now), self._until.get(group, now)) - now
        if rest > 0:
            raise failed(
                Kind.REFUSED,
                f"{call} was not sent: 3Commas refused too many requests, and more of them before "
                f"{rest:.0f} s have passed would have this address banned",
            )
        self._forget(now)
        if most is not None and len(self._sent) >= most:
            raise failed(
                Kind.REFUSED,
                f"{call} was not sent: {len(self._sent)} requests went out within a minute, and 3Commas "
                "bans who sends more than 100; run again in a minute",
            )
        self._sent.append(now)

    def _forget(self, now: float) -> None:
        while self._sent and self._sent[0] <= now - _MINUTE:
            self._sent.popleft()

    def refused(self, status: int, group: str = "") -> None:
        """Rest after a refusal for too many requests; of one group of calls where its limit is its own."""
        if status in _RESTS:
            group = group if status == 429 else ""  # noqa: PLR2004 - a ban is one of the address
            self._until[group] = self._clock() + _RESTS[status]


_PACES: Final[dict[str, Pace]] = {}


def pace_of(url: str) -> Pace:
    """The pace of everything that this process asks of the host in ``url``, however that is spelt.

    A pass must know of those before it, and two runtimes of one user share what that user may send.
    """
    parts = urlsplit(url)
    return _PACES.setdefault(f"{parts.hostname}:{parts.port or 443}", Pace())
