"""What an emergency stop did, what it could not do, and the keys that are to be replaced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from reconciler.model.errors import ExitCode
from reconciler.model.memory import Lockdown, Scope
from reconciler.model.plan import Outcome, OutcomeState


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody wants stopped at once, and why. ``scope_id`` is empty for everything."""

    scope: Scope
    scope_id: str
    reason: str

    def __str__(self) -> str:
        """``everything``, ``exchange mexc``."""
        return "everything" if self.scope is Scope.ALL else f"{self.scope} {self.scope_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A strategy that runs, or may. ``connection`` is ``None`` where nobody knows which key it uses."""

    strategy: str
    runtime: str
    connection: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAtRisk:
    """A key that is to be replaced, with what is known of it; nothing of it is secret.

    ``key`` is what the exchange last said of it at ``read_at``, as :class:`.memory.Reading` has it;
    ``secret_file`` and ``addresses`` are from the files, where these name the connection. ``page`` is where
    the exchange keeps its keys.
    """

    connection: str
    name: str | None = None
    exchange: str | None = None
    exchange_name: str | None = None
    page: str | None = None
    secret_file: str | None = None
    addresses: tuple[str, ...] = ()
    read_at: datetime | None = None
    key: Mapping[str, Any] | None = None
    strategies: tuple[str, ...] = ()

    @property
    def withdraws(self) -> bool | None:
        """Whether it may withdraw; ``None`` where nobody knows."""
        return None if self.key is None else self.key["permissions"]["withdraw"]

    @property
    def bound(self) -> bool | None:
        """Whether it works from listed addresses alone; ``None`` where nobody knows."""
        return None if self.key is None else self.key["ip_whitelist"]["restricted"]

    @property
    def urgency(self) -> tuple[int, int, str]:
        """What comes first is most dangerous: it may withdraw, or nobody knows; it works from anywhere."""
        return (_DANGER[self.withdraws], _SAFETY[self.bound], self.connection)


_DANGER = {True: 0, None: 1, False: 2}
_SAFETY = {False: 0, None: 1, True: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Emergency:
    """A lockdown as it went. ``lockdown`` is ``None`` where the state did not take it.

    ``outcomes`` has what was to be stopped; ``foreign`` runs on a covered key although nobody here started
    it; ``unreadable`` are runtimes in which nobody could look. ``troubles`` are sentences.
    """

    version: str
    wanted: Wanted
    at: datetime
    lockdown: Lockdown | None
    declared_before: bool = False
    troubles: tuple[str, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    foreign: tuple[Running, ...] = ()
    unreadable: tuple[str, ...] = ()
    blank: bool = False
    keys: tuple[KeyAtRisk, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """Done where all stopped, partly where not all did, failed where nothing did or holds.

        With a state in which nothing was ever applied nobody knows what runs.
        """
        stopped = [one for one in self.outcomes if one.state is OutcomeState.DONE]
        left = len(stopped) < len(self.outcomes) or bool(self.unreadable)
        if self.lockdown is None or ((left or self.blank) and not stopped and (self.outcomes or self.blank)):
            return ExitCode.FAILED
        return ExitCode.PARTLY_APPLIED if left else ExitCode.DONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifted:
    """A lockdown that was ended by ``by``. ``may_start`` are strategies that git wants and it held back."""

    version: str
    at: datetime
    lockdown: Lockdown
    by: str
    may_start: tuple[str, ...] = ()
    troubles: tuple[str, ...] = ()
    still: tuple[Lockdown, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """Every lockdown that is in force."""

    version: str
    at: datetime
    lockdowns: tuple[Lockdown, ...]
