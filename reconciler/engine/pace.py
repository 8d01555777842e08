"""When the next pass begins: soon where somebody waits for it, later and later where it cannot be done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from reconciler.engine.schedule import Timetable

#: Seconds that a pass waits for readings, where half the interval is no shorter; and that lie between two
#: passes that only retries or late readings ask for.
PATIENCE: Final = 5.0
#: Seconds between a pass and one that a change in the files asks for, where half the interval is no shorter.
BREATH: Final = 1.0
#: Seconds that a pass is put off after others ended by faults of ours, where the interval is no longer.
LONGEST_PAUSE: Final = 300.0
_ENOUGH: Final = 30


class Pace:
    """The passes of one loop over time. ``clock`` gives seconds that only ever grow.

    ``patience`` is how many seconds a pass waits for readings.
    """

    def __init__(self, interval: float, timetable: Timetable, *, clock: Callable[[], float]) -> None:
        self.patience = min(interval / 2, PATIENCE)
        self._interval = interval
        self._timetable = timetable
        self._clock = clock
        self._breath = min(interval / 2, BREATH)
        self._began_at = self._ended_at = -float("inf")
        self._took = 0.0
        self._not_before = -float("inf")
        self._failures = 0

    def began(self) -> None:
        """A pass begins."""
        self._began_at = self._clock()

    def ended(self) -> None:
        """It came to an end, whatever became of it."""
        self._ended_at = self._clock()
        self._took = self._ended_at - self._began_at

    def well(self) -> None:
        """It was done."""
        self._failures = 0

    def failed(self, *, of_ours: bool = False) -> None:
        """It could not be done, perhaps for a fault of ours: the next one comes later each time."""
        longest = max(self._interval, LONGEST_PAUSE) if of_ours else self._interval
        pause = self.patience * 2.0 ** min(self._failures, _ENOUGH)
        self._failures += 1
        self._not_before = self._clock() + min(pause, longest)

    def wait(self, *, wanted: bool, news: bool) -> float:
        """Seconds until the next one is to begin, at most 0 where it is due.

        ``wanted``: somebody asked for it, or changed the files; ``news``: there are late readings to count.
        """
        soon = self._ended_at + self._breath
        if wanted:
            at = soon
        else:
            # Passes that readings ask for take half of the time at most, however many connections there are.
            later = self._ended_at + max(self.patience, self._took)
            at = later if news else max(later, self._timetable.next())
            at = min(at, max(soon, self._timetable.tick))
        return max(at, self._not_before) - self._clock()
