"""What the sandbox pretends: the keys that exist on each exchange, and what goes wrong.

Plain data, mutable on purpose: a test takes a permission away between two passes by changing the
key that the running sandbox holds. ``load.py`` reads it from YAML.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Any, Final, Literal, TypeAlias

#: The address that the exchanges see unless the scenario says otherwise (RFC 5737, never routed).
DEFAULT_CALLER_IP: Final = "203.0.113.10"

Outage: TypeAlias = Literal["refused", "closed"] | int
"""``refused``: nothing listens; ``closed``: cut before any answer; a number: that HTTP status."""


@dataclass(slots=True, kw_only=True)
class RateLimit:
    """When requests are refused as too many.

    Either every ``every``-th request, or everything above ``units`` of weight within ``seconds``
    for one caller address. ``retry_after`` is what the answer tells, in seconds.
    """

    every: int | None = None
    units: float | None = None
    seconds: float = 1.0
    retry_after: int = 1


@dataclass(slots=True, kw_only=True)
class Verbatim:
    """An answer given word for word: JSON as a mapping or a list, anything else as text."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Faults:
    """What goes wrong for a whole exchange, for one key, or below one path.

    ``error`` names an entry of the venue's own error table (:attr:`Venue.errors`), so that every
    documented answer is reachable. ``html`` is the status of a maintenance page in HTML. ``cut``
    ends the connection in the middle of the body. ``paths`` holds faults for the requests whose
    path starts with the key.
    """

    delay_ms: float = 0
    outage: Outage | None = None
    rate_limit: RateLimit | None = None
    html: int | None = None
    error: str | None = None
    verbatim: Verbatim | None = None
    cut: bool = False
    paths: dict[str, Faults] = field(default_factory=dict)

    def at(self, path: str) -> Iterator[Faults]:
        """These faults and those below each prefix of ``path``, the general ones first."""
        yield self
        for prefix, faults in self.paths.items():
            if path.startswith(prefix):
                yield from faults.at(path)

    def names(self) -> Iterator[str]:
        """Every error that these faults name, wherever they stand."""
        if self.error is not None:
            yield self.error
        for faults in self.paths.values():
            yield from faults.names()


@dataclass(slots=True, kw_only=True)
class Key:
    """One API key as its exchange holds it.

    ``permissions`` are the exchange's own words, in the shape in which the exchange keeps them: a
    comma list (MEXC, KuCoin, OKX), a list, or a mapping (Binance's flags, Bybit's groups).
    ``ip_whitelist`` is empty for a key that is bound to no address. ``raw`` replaces fields of the
    answer in which the exchange describes the key, and ``omit`` removes some: with both, every
    documented shape can be told. ``options`` holds what only one venue knows.
    """

    name: str
    api_key: str = field(repr=False)
    secret: str = field(repr=False)
    passphrase: str | None = field(default=None, repr=False)
    permissions: Any = ""
    ip_whitelist: list[str] = field(default_factory=list)
    label: str = ""
    uid: str = "100000001"
    created: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    expires: datetime | None = None
    status: str = "VALID"
    is_master: bool = True
    sub_name: str | None = None
    parent_uid: str | None = None
    unified: bool = False
    balances: dict[str, str] = field(default_factory=dict)
    open_orders: list[dict[str, Any]] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)
    omit: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    caller_ip: str | None = None
    faults: Faults = field(default_factory=Faults)

    def words(self) -> frozenset[str]:
        """The permissions as a set of words; a mapping counts the names whose value is true."""
        if isinstance(self.permissions, str):
            return frozenset(word.strip() for word in self.permissions.split(",") if word.strip())
        if isinstance(self.permissions, dict):
            return frozenset(name for name, value in self.permissions.items() if value)
        return frozenset(str(word) for word in self.permissions)

    def admits(self, address: str) -> bool:
        """Whether a call from ``address`` may use this key."""
        caller = ip_address(address)
        return not self.ip_whitelist or any(
            caller in ip_network(entry, strict=False) for entry in self.ip_whitelist
        )

    def describe(self, told: dict[str, Any]) -> dict[str, Any]:
        """``told``, the answer in which the exchange describes the key, after ``raw`` and ``omit``."""
        changed = told | self.raw
        return {name: value for name, value in changed.items() if name not in self.omit}


#: What every exchange lists unless the scenario says otherwise.
PAIRS: Final = (
    *(f"{base}/{quote}" for quote in ("USDT", "USDC") for base in ("BTC", "ETH", "BNB", "SOL", "XRP", "ADA")),
    *(f"{base}/USDT:USDT" for base in ("BTC", "ETH", "SOL")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traded:
    """A pair that an exchange lists: its currencies, and whether it is open for trading.

    ``settle`` is ``None`` on spot; the other pairs are perpetual futures.
    """

    base: str
    quote: str
    settle: str | None
    open: bool


@dataclass(slots=True, kw_only=True)
class ExchangeSpec:
    """One exchange of the sandbox: its keys by name, its clock and what goes wrong.

    ``clock_offset_ms`` is how far the exchange's clock runs ahead of this machine's. ``pairs`` are
    what it lists, as ccxt symbols; those in ``closed`` too, but not open for trading.
    """

    id: str
    pairs: list[str] = field(default_factory=lambda: list(PAIRS))
    closed: list[str] = field(default_factory=list)
    keys: dict[str, Key] = field(default_factory=dict)
    caller_ip: str = DEFAULT_CALLER_IP
    clock_offset_ms: int = 0
    faults: Faults = field(default_factory=Faults)

    def spot(self) -> list[Traded]:
        """What it lists on spot."""
        return [pair for pair in self._traded() if pair.settle is None]

    def futures(self, *settles: str) -> list[Traded]:
        """The perpetual futures that it lists and that settle in one of ``settles``."""
        return [pair for pair in self._traded() if pair.settle in settles]

    def _traded(self) -> Iterator[Traded]:
        for symbol in dict.fromkeys((*self.pairs, *self.closed)):
            names, _, settle = symbol.partition(":")
            base, _, quote = names.partition("/")
            yield Traded(base=base, quote=quote, settle=settle or None, open=symbol not in self.closed)


@dataclass(slots=True, kw_only=True)
class Scenario:
    """Every exchange of one sandbox, by its id. Key names are unique over all of them."""

    exchanges: dict[str, ExchangeSpec] = field(default_factory=dict)

    @property
    def keys(self) -> dict[str, Key]:
        """Every key of every exchange, by its name."""
        return {name: key for spec in self.exchanges.values() for name, key in spec.keys.items()}
