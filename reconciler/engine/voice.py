"""What a loop says: each trouble when it begins, when it is another, and when it is over."""

from __future__ import annotations

from contextlib import suppress

from reconciler.engine.health import Health
from reconciler.engine.settings import Settings


class Voice:
    """Says lines, with the time, through ``settings.notice``; troubles also show in ``health``."""

    def __init__(self, settings: Settings, health: Health) -> None:
        self._settings = settings
        self._health = health
        self._told: dict[str, str] = {}

    def tell(self, part: str, trouble: str | None, *, unready: bool = True) -> bool:
        """Say what is wrong with ``part``, or with ``None`` that nothing is; give whether that is news.

        ``unready``: the loop does not do its work for as long as it lasts.
        """
        if trouble == self._told.get(part):
            return False
        if trouble is None:
            self._health.troubles.pop(part, None)
            self.say(f"over: {self._told.pop(part)}")
            return True
        self._told[part] = trouble
        if unready:
            self._health.troubles[part] = trouble
        self.say(trouble)
        return True

    def say(self, line: str) -> None:
        """One line. That nobody listens any more ends nothing: strategies are still to be stopped."""
        if self._settings.notice:
            with suppress(OSError):
                self._settings.notice(f"{self._settings.now():%Y-%m-%dT%H:%M:%SZ} {line}")
