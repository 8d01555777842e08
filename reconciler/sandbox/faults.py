"""What a scenario's faults do to one request, decided before the venue sees it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from reconciler.sandbox.scenario import Faults, RateLimit
from reconciler.sandbox.venue import HTML_PAGE, Incoming, Reply, Venue

_DEFAULT_WAIT_S = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """What happens to a request: a wait in seconds, then an answer in the venue's stead or none at all.

    ``close`` ends the connection without an answer, ``cut`` in the middle of the body.
    """

    delay: float = 0.0
    reply: Reply | None = None
    close: bool = False
    cut: bool = False


@dataclass(slots=True)
class _Window:
    """What one caller spent of one limit. Holds the limit itself, so that its identity stays its own."""

    limit: RateLimit
    requests: int = 0
    spent: float = 0.0
    spending: deque[tuple[float, float]] = field(default_factory=deque)

    def refuses(self, *, now: float, weight: float) -> bool:
        self.requests += 1
        if self.limit.every is not None:
            return self.requests % self.limit.every == 0
        while self.spending and self.spending[0][0] <= now - self.limit.seconds:
            self.spent -= self.spending.popleft()[1]
        if self.limit.units is None or self.spent + weight <= self.limit.units:
            self.spending.append((now, weight))
            self.spent += weight
            return False
        return True


class Disturber:
    """Applies the faults of one venue: the exchange's own, then those of the key that is claimed."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._windows: dict[tuple[int, str], _Window] = {}

    def disturb(self, incoming: Incoming, *, host: str, now: float) -> Disturbance:
        """What happens to ``incoming``, of which ``now`` is the time in seconds on any one clock."""
        faults = tuple(self._applying(incoming))
        delay = sum(fault.delay_ms for fault in faults) / 1000
        if any(fault.outage == "closed" for fault in faults):
            return Disturbance(delay=delay, close=True)
        replies = (self._reply(fault, incoming, host=host, now=now) for fault in faults)
        reply = next((reply for reply in replies if reply is not None), None)
        return Disturbance(delay=delay, reply=reply, cut=any(fault.cut for fault in faults))

    def _applying(self, incoming: Incoming) -> Iterator[Faults]:
        yield from self._venue.spec.faults.at(incoming.path)
        key = self._venue.find(self._venue.claimed(incoming))
        if key is not None:
            yield from key.faults.at(incoming.path)

    def _reply(self, fault: Faults, incoming: Incoming, *, host: str, now: float) -> Reply | None:
        if isinstance(fault.outage, int):
            title = f"{fault.outage} Server Error"
            return Reply(status=fault.outage, body=HTML_PAGE.replace("{title}", title))
        if fault.html is not None:
            return self._venue.page(fault.html)
        if fault.verbatim is not None:
            given = fault.verbatim
            return Reply(status=given.status, body=given.body, headers=given.headers)
        if fault.rate_limit is not None and self._limited(fault.rate_limit, incoming, host=host, now=now):
            return self._error(self._venue.limited(incoming), incoming, wait=fault.rate_limit.retry_after)
        return self._error(fault.error, incoming) if fault.error is not None else None

    def _limited(self, limit: RateLimit, incoming: Incoming, *, host: str, now: float) -> bool:
        route = self._venue.route(incoming, host)
        window = self._windows.setdefault((id(limit), incoming.caller), _Window(limit))
        return window.refuses(now=now, weight=1.0 if route is None else route.weight)

    def _error(self, name: str, incoming: Incoming, *, wait: int = _DEFAULT_WAIT_S) -> Reply:
        waits = {"retry_after": str(wait), "retry_after_ms": str(wait * 1000)}
        waits["until_ms"] = str(incoming.now_ms + wait * 1000)
        return self._venue.error(name, ip=incoming.caller, **waits)
