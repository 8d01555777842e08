"""What the files say should exist. Built by ``desired/`` only; every item knows where it was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from decimal import Decimal
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from reconciler.model.errors import Mark
from reconciler.model.live import Permission

Address: TypeAlias = IPv4Network | IPv6Network
"""One address or a network of them; a single address is a /32 or a /128."""

EMPTY: Final[Mapping[str, Any]] = MappingProxyType({})


class Market(StrEnum):
    """Where a connection's strategies trade."""

    SPOT = "spot"
    MARGIN = "margin"
    FUTURES = "futures"


class Money(StrEnum):
    """Whether a bot trades real money, or only pretends to."""

    LIVE = "live"
    DRY_RUN = "dry_run"


class Requirement(StrEnum):
    """How strongly policy asks for something."""

    REQUIRED = "required"
    RECOMMENDED = "recommended"


class OnDisable(StrEnum):
    """How a strategy is disabled: what becomes of what it holds.

    ``STOP``: it does nothing any more, and nobody manages its open positions. ``STOP_ENTRIES``: it opens
    nothing, and manages what is open to its end. ``CLOSE_FIRST_MANUAL``: it opens nothing, and is stopped
    once a person closed what is open. None of them closes a position.
    """

    STOP = "stop"
    STOP_ENTRIES = "stop_entries"
    CLOSE_FIRST_MANUAL = "close_first_manual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspension:
    """A stand-still: what concerns ``subject`` is neither started nor changed.

    ``subject`` is ``connection mexc-spot-main`` or ``everything``. It is in force until the end of
    ``until`` in UTC. Afterwards it is an error, and stays in force until somebody removes or renews
    it: trading does not resume because nobody looked.
    """

    subject: str
    reason: str
    until: date
    mark: Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Egress:
    """A network exit of a bot: its public addresses, and how this tool reaches exchanges through it."""

    id: str
    addresses: tuple[Address, ...]
    mark: Mark
    proxy: str | None = None
    family: str = "ipv4"
    suspend: Suspension | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPin:
    """The account that a key must belong to."""

    uid: str
    mark: Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialRef:
    """Where a connection's credentials stand.

    ``file`` is the path of a SOPS file, already joined to the folder of the file that names it
    and checked to stay inside the tree. Or, with inline ``ENC[...]`` values, ``file`` is the
    configuration file itself and ``inline`` is True; ``fields`` then names the inline fields.
    ``mark`` is where it was written; ``root`` is the folder that a secret file may not leave.
    ``top`` is the folder that both are relative to: empty where the process runs.
    """

    file: str
    mark: Mark
    root: str
    top: str = ""
    inline: bool = False
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """A person's word in git for what the exchange cannot tell: ``by`` whom and ``on`` which day."""

    subject: str
    by: str
    on: date
    mark: Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One API key on one exchange account, for one purpose.

    ``permissions`` narrows what is derived from the strategies: False forbids a permission, True
    demands it. ``marks`` gives the place of each field that was written, by its YAML name.
    """

    id: str
    name: str
    exchange: str
    market: Market
    credentials: CredentialRef
    mark: Mark
    egress: str | None = None
    account: AccountPin | None = None
    permissions: Mapping[Permission, bool] = field(default_factory=dict)
    attestations: Mapping[str, Attestation] = field(default_factory=dict)
    suspend: Suspension | None = None
    marks: Mapping[str, Mark] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeSpec:
    """A system that executes strategies, as the files describe it.

    ``mode`` is what the runtime must trade with, ``None`` where nothing was written. ``options`` are the
    other fields of its type.
    """

    id: str
    type: str
    mark: Mark
    url: str | None = None
    credentials: CredentialRef | None = None
    mode: Money | None = None
    options: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    suspend: Suspension | None = None
    marks: Mapping[str, Mark] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """One bot configuration on one connection.

    ``parameters`` holds everything that the runtime takes, JSON-like with amounts and percentages
    as text: ``pairs``, ``risk_level``, ``margin_limit``, ``averaging``, ``recovery_mode``,
    ``settings``; absent ones are left out. It is what a change of settings compares. ``marks`` gives the
    place of each field that was written, and of each within one as ``averaging.step``. ``on_disable``: how it
    is disabled, ``None`` where its runtime or policy decides.
    """

    id: str
    name: str
    connection: str
    runtime: str
    enabled: bool
    pairs: tuple[str, ...]
    parameters: Mapping[str, Any]
    mark: Mark
    on_disable: OnDisable | None = None
    suspend: Suspension | None = None
    marks: Mapping[str, Mark] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """An exception with an end: ``check`` does not block ``connection`` until the end of ``until``."""

    check: str
    connection: str
    reason: str
    approved_by: str
    until: date
    mark: Mark


class Guarded(StrEnum):
    """What may not happen to many strategies at once unless somebody approved it."""

    ENABLE = "enable"
    DISABLE = "disable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Up to ``count`` strategies may be enabled, or disabled, at once until the end of ``until`` in UTC."""

    allow: Guarded
    count: int
    reason: str
    approved_by: str
    until: date
    mark: Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """How many strategies one pass may treat alike: at most ``count``, and ``percent`` of all.

    Both hold at once. ``None`` is no limit, and 0 allows none.
    """

    count: int | None = None
    percent: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """The limits of one pass. They guard against accidents in files and never delay a stop for safety.

    What starts is money at risk, so its number counts; a share of what runs is no measure of it, and
    would stop the first apply of every team. What an accident stops shows in its share, too.
    """

    enable: Threshold = Threshold(count=10)
    disable: Threshold = Threshold(count=10, percent=Decimal(50))


class WindowKind(StrEnum):
    """What a maintenance window says of starts and changes while it is open."""

    ALLOW = "allow"
    DENY = "deny"


class OnUnknown(StrEnum):
    """What becomes of a running strategy whose checks stay unknown beyond the grace."""

    DISABLE = "disable"
    HOLD = "hold"


WEEK: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A time of the week in which starts and changes may happen, or may not.

    It opens at ``start`` on each of ``days`` and closes at the next ``end``, on the clocks of
    ``zone``, an IANA name; a whole day where the two are equal.
    """

    kind: WindowKind
    days: tuple[str, ...]
    start: time
    end: time
    zone: str = "UTC"

    def __str__(self) -> str:
        """``deny sat, sun 22:00-02:00 UTC``."""
        days = "every day" if self.days == WEEK else ", ".join(self.days)
        return f"{self.kind} {days} {self.start:%H:%M}-{self.end:%H:%M} {self.zone}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginLimit:
    """The most that one strategy may tie up: ``amount`` of ``currency``, more than zero."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The team's rules. ``recipients`` names allowed SOPS recipients by SOPS' own group name
    (``age``, ``pgp``, ``kms``, ``gcp_kms``, ``azure_kv``, ``hc_vault``, ``hckms``): age and PGP
    are allowed without being named, and restricted to the named ones once any is named.

    ``on_disable`` is how strategies are disabled unless they, or their runtimes, choose themselves; ``None``
    leaves it to the type of the runtime. ``on_unknown`` is what follows ``unknown_grace``. ``settle`` is in
    how many passes in a row the checks must have passed before the loop starts something; 1 starts at once.

    ``max_margin_limit``, ``max_averaging_factor`` and ``allowed_quotes`` bind strategies, and ``None``
    or nothing leaves them free: what each may tie up at most, how often averaging may multiply its
    first order (1 or more), and the currencies in which its pairs may be quoted and settled.
    """

    ip_whitelist: Requirement = Requirement.REQUIRED
    max_key_age: timedelta | None = None
    unknown_grace: timedelta = timedelta(minutes=15)
    on_unknown: OnUnknown = OnUnknown.DISABLE
    on_disable: OnDisable | None = None
    settle: int = 2
    expiry_warning: timedelta = timedelta(days=14)
    attestation_max_age: timedelta = timedelta(days=90)
    recipients: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    max_margin_limit: MarginLimit | None = None
    max_averaging_factor: Decimal | None = None
    allowed_quotes: tuple[str, ...] = ()
    thresholds: Thresholds = field(default_factory=Thresholds)
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """Everything that the files say, merged; mappings by id."""

    files: tuple[str, ...]
    policy: Policy = field(default_factory=Policy)
    egress: Mapping[str, Egress] = field(default_factory=dict)
    connections: Mapping[str, Connection] = field(default_factory=dict)
    runtimes: Mapping[str, RuntimeSpec] = field(default_factory=dict)
    strategies: Mapping[str, Strategy] = field(default_factory=dict)
    waivers: tuple[Waiver, ...] = ()
    approvals: tuple[Approval, ...] = ()
    suspend: Suspension | None = None

    @property
    def suspensions(self) -> tuple[Suspension, ...]:
        """All of them: of everything first, then by section and id."""
        sections: tuple[Mapping[str, Egress | Connection | RuntimeSpec | Strategy], ...] = (
            self.egress,
            self.connections,
            self.runtimes,
            self.strategies,
        )
        items = (section[key] for section in sections for key in sorted(section))
        return tuple(one for one in (self.suspend, *(item.suspend for item in items)) if one is not None)

    def suspensions_of(self, strategy: Strategy) -> tuple[Suspension, ...]:
        """Those that concern ``strategy``: its own, and of its runtime, connection, egress and everything."""
        connection, runtime = self.connections.get(strategy.connection), self.runtimes.get(strategy.runtime)
        egress = self.egress.get(connection.egress or "") if connection else None
        found = (item.suspend for item in (strategy, runtime, connection, egress, self) if item)
        return tuple(one for one in found if one is not None)

    def strategies_of(self, connection: str) -> tuple[Strategy, ...]:
        """The strategies that refer to ``connection``, by id."""
        mine = (s for s in self.strategies.values() if s.connection == connection)
        return tuple(sorted(mine, key=lambda strategy: strategy.id))
