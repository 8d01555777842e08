"""What a loop can truthfully say of itself: whether it still goes round, and whether it does its work."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

#: Seconds beyond what a loop promised after which it counts as stuck: a machine may be busy.
SLACK: Final = 30.0

STARTING: Final = "the first pass is not done yet"
STOPPING: Final = "it was told to end"


@dataclass(slots=True, kw_only=True)
class Health:
    """The truth about one loop. ``clock`` gives seconds that only ever grow.

    ``troubles`` has in plain words what keeps the loop from its work, by the part that it is about;
    without a secret, since anybody who can reach the endpoints reads it.
    """

    clock: Callable[[], float] = time.monotonic
    passes: int = 0
    last_exit_code: int | None = None
    troubles: dict[str, str] = field(default_factory=dict)
    crashes: int = 0
    stopping: bool = False
    _promised: float = field(default=float("inf"), repr=False)
    _last_pass: float | None = field(default=None, repr=False)

    def promise(self, seconds: float) -> None:
        """The loop went round, and will again within ``seconds``."""
        self._promised = self.clock() + seconds

    def passed(self, exit_code: int) -> None:
        """A pass came to its end."""
        self.passes += 1
        self.last_exit_code = exit_code
        self._last_pass = self.clock()

    @property
    def since_pass(self) -> float | None:
        """Seconds since the last pass that came to its end; ``None`` before the first."""
        return None if self._last_pass is None else self.clock() - self._last_pass

    @property
    def overdue(self) -> float:
        """Seconds since the loop should have gone round; at most 0 while it does."""
        return self.clock() - self._promised

    @property
    def alive(self) -> bool:
        """Whether the loop still goes round."""
        return self.overdue <= SLACK

    def unready(self) -> tuple[str, ...]:
        """Why the loop does not do its work; nothing while it does."""
        stuck = () if self.alive else (f"stuck: it should have gone round {self.overdue:.0f} s ago",)
        starting = () if self.passes else (STARTING,)
        stopping = (STOPPING,) if self.stopping else ()
        return (*stuck, *starting, *stopping, *(self.troubles[name] for name in sorted(self.troubles)))

    def summary(self) -> str:
        """One line for a service manager."""
        why = self.unready()
        if why:
            return "not ready: " + "; ".join(why)
        return f"{self.passes} passes, the last ended with {self.last_exit_code}"
