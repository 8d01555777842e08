"""When each connection is to be read again: pure, by the clock and the chance that it is given."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

#: A regular pass comes up to this share of the interval early, so that loops that were started together
#: do not ask together for ever; never late: what is wrong is to be found within one interval.
JITTER: Final = 0.1
#: Seconds until the first retry of a reading that failed, where the interval is no shorter.
FIRST_RETRY: Final = 30.0
#: Seconds that no retry is put off by us; the interval, where that is longer.
LONGEST_RETRY: Final = 300.0
#: Seconds that an exchange can have us wait. Bans last up to three days; a longer time is a mistake.
LONGEST_BAN: Final = 3 * 86_400.0
#: By this share a retry comes early, so that keys that failed together do not return together.
_SPREAD: Final = 0.25
#: After so many failures the wait has long reached its longest.
_ENOUGH: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """When one connection is due, in seconds of the clock: ``inf`` while it is being read.

    ``failures`` counts those in a row; until ``banned_until`` its exchange wants to hear nothing.
    """

    due: float = -math.inf
    failures: int = 0
    banned_until: float = -math.inf


_NEW: Final = Turn()


class Timetable:
    """The turns of every connection, and the regular passes in which all that is well is read.

    What failed comes again on its own, later and later. ``clock`` gives seconds that only ever
    grow, ``chance`` a number from 0 to 1.
    """

    def __init__(
        self, interval: float, *, clock: Callable[[], float], chance: Callable[[], float] = random.random
    ) -> None:
        self._interval = interval
        self._clock = clock
        self._chance = chance
        self._turns: dict[str, Turn] = {}
        self.tick = clock()

    def turn_over(self) -> None:
        """A regular pass begins: the next one comes within one interval from now."""
        self.tick = self._clock() + self._interval * (1 - JITTER * self._chance())

    def due(self, name: str) -> bool:
        """Whether ``name`` is to be read now; one that is not known yet is."""
        return self._turns.get(name, _NEW).due <= self._clock()

    def begun(self, name: str) -> None:
        """It is being read."""
        turn = self._turns.get(name, _NEW)
        self._turns[name] = Turn(due=math.inf, failures=turn.failures, banned_until=turn.banned_until)

    def answered(self, name: str) -> None:
        """It was read: it comes again in the next regular pass."""
        self._turns[name] = Turn(due=self.tick)

    def failed(self, name: str, *, retry_after: float | None = None) -> None:
        """It could not be read. ``retry_after`` is how many seconds its exchange wants to be left alone."""
        now, failures = self._clock(), self._turns.get(name, _NEW).failures + 1
        banned_until = now + min(retry_after, LONGEST_BAN) if retry_after else -math.inf
        due = max(now + self._wait(failures), banned_until)
        self._turns[name] = Turn(due=due, failures=failures, banned_until=banned_until)

    def stopped(self, name: str) -> None:
        """Its reading was ended before it gave anything: it is due again."""
        turn = self._turns.get(name, _NEW)
        self._turns[name] = Turn(
            due=max(self._clock(), turn.banned_until),
            failures=turn.failures,
            banned_until=turn.banned_until,
        )

    def hasten(self, name: str) -> None:
        """Have it read in the next pass, unless it is being read or its exchange wants to hear nothing."""
        if self._turns.get(name, _NEW).due < math.inf:
            self.stopped(name)

    def hasten_all(self) -> None:
        """:meth:`hasten` for every connection."""
        for name in tuple(self._turns):
            self.hasten(name)

    def next(self) -> float:
        """When the next pass is due: the regular one, or the first retry before it."""
        return min((self.tick, *(turn.due for turn in self._turns.values())))

    def forget(self, name: str) -> None:
        """It cannot be read at all at present, so nothing is to happen because of it."""
        self._turns.pop(name, None)

    def keep_only(self, names: Collection[str]) -> None:
        """Forget every connection but these."""
        self._turns = {name: turn for name, turn in self._turns.items() if name in names}

    def _wait(self, failures: int) -> float:
        longest = max(self._interval, LONGEST_RETRY)
        whole = min(self._interval, FIRST_RETRY) * 2.0 ** min(failures - 1, _ENOUGH)
        return min(whole, longest) * (1 - _SPREAD * self._chance())
