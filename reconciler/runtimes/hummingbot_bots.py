"""Where a strategy is on a hummingbot-api, and what one look at it says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from reconciler.model.bot import Bot
from reconciler.model.errors import RuntimeFailed
from reconciler.runtimes.hummingbot_api import Config, Container, Overview, Report
from reconciler.runtimes.hummingbot_facts import bot_of

#: Names of bots that this tool takes: what Docker lets a container be called, if not too long.
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,119}")

#: Names of files of controllers, as the API's own models take them.
_FILE: Final = re.compile(r"[A-Za-z0-9_-]{1,120}")


@dataclass(frozen=True, order=True, slots=True)
class Place:
    """A whole bot by the name of its container, or one of its controllers by the name of its file."""

    bot: str
    controller: str = ""

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Place | None:
        """Where a strategy with these parameters is; ``None`` where they do not say."""
        settings = parameters.get("settings")
        told = settings if isinstance(settings, Mapping) else {}
        bot, controller = told.get("bot"), told.get("controller")
        if not isinstance(bot, str) or not NAME.fullmatch(bot):
            return None
        if controller is None:
            return cls(bot)
        fits = isinstance(controller, str) and _FILE.fullmatch(controller)
        return cls(bot, controller) if fits else None

    def __str__(self) -> str:
        """``the bot mm-1``, ``the controller pmm of the bot mm-1``."""
        bot = f"the bot {self.bot}"
        return f"the controller {self.controller} of {bot}" if self.controller else bot


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One look at a bot. ``configs`` is ``None`` where its files were not, or could not be, read."""

    container: Container | None
    report: Report
    configs: tuple[Config, ...] | None = None

    @classmethod
    def of(cls, bot: str, overview: Overview, report: Report, configs: tuple[Config, ...] | None) -> Seen:
        """What the API says of ``bot``.

        A container that nothing shows to be a Hummingbot is none: files must not have anything else on
        that machine started or stopped.
        """
        container = overview.containers.get(bot)
        if container and not (container.is_bot or bot in overview.active or configs):
            container = None
        seen = cls(container=container, report=report, configs=configs)
        try:
            seen.bot(Place(bot))
        except (
            RuntimeFailed
        ):  # files of another shape hide no other bot, and keep nobody from stopping this one
            return cls(container=container, report=report)
        return seen

    @property
    def up(self) -> bool:
        """Whether there may be a process."""
        return self.container.running if self.container else self.report.known

    @property
    def runs(self) -> bool | None:
        """Whether its strategy runs; a script without controllers sends no figures, and counts while up."""
        if not self.up:
            return False
        return True if self.container and self.configs == () else self.report.runs

    def mine(self, place: Place) -> tuple[Config, ...]:
        """The files of the controllers at ``place``."""
        every = self.configs or ()
        wanted = (one for one in every if one.get("_config_name") == place.controller)
        return tuple(wanted) if place.controller else every

    def there(self, place: Place) -> bool:
        """Whether there is such a thing, as far as can be told."""
        exists = self.container is not None or self.report.known
        return exists and (not place.controller or self.configs is None or bool(self.mine(place)))

    def on(self, place: Place) -> bool | None:
        """Whether what is at ``place`` may trade."""
        if not place.controller or not self.up:
            return self.runs
        if self.configs is None:
            return None
        killed = any(one.get("manual_kill_switch") is True for one in self.mine(place))
        return False if killed else self.runs

    def bot(self, place: Place) -> Bot:
        """What really runs at ``place``, or would."""
        return bot_of(self.mine(place), self.report.controllers)

    def identity(self, place: Place) -> tuple[object, ...]:
        """By what it is judged."""
        return (self.container.id if self.container else None, bot_of(self.mine(place), {}))
