"""What was read from an exchange: key reports, failures, observations. ``None`` always means unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final


class Permission(StrEnum):
    """What a key may do. ``SPOT``, ``MARGIN``, ``FUTURES`` and ``OPTIONS`` mean placing orders there."""

    READ = "read"
    SPOT = "spot"
    MARGIN = "margin"
    FUTURES = "futures"
    OPTIONS = "options"
    TRANSFER = "transfer"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """Each permission as true, false or unknown (``None``). Never false unless the exchange denies it."""

    read: bool | None = None
    spot: bool | None = None
    margin: bool | None = None
    futures: bool | None = None
    options: bool | None = None
    transfer: bool | None = None
    withdraw: bool | None = None

    def __getitem__(self, permission: Permission) -> bool | None:
        value: bool | None = getattr(self, permission.value)
        return value

    def items(self) -> tuple[tuple[Permission, bool | None], ...]:
        """Every permission with its reading, in the order of :class:`Permission`."""
        return tuple((Permission(f.name), getattr(self, f.name)) for f in fields(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class IpWhitelist:
    """``restricted`` says whether the key is bound to addresses; ``addresses`` is ``None`` when not told.

    Addresses are the exchange's own text, normalised to ``203.0.113.10`` or ``203.0.113.0/24``;
    a masked one (``203.**.154.7``) makes the whole list unknown.
    """

    restricted: bool | None = None
    addresses: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose key it is. ``uid`` is text: some exchanges' ids exceed 2**53."""

    uid: str | None = None
    is_sub: bool | None = None
    parent_uid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyReport:
    """What the exchange says of the key itself. Every field may be unknown.

    ``trade_expires_at`` is when the right to trade ends while the key stays (Binance).
    ``expiry_rule`` names the documented idleness or no-whitelist rule that led to an estimated
    ``expires_at``; ``None`` means that the exchange gave the date. ``unknown_words`` are
    permission words or fields that we do not know, as the exchange spelt them: they make every
    permission that they could mean unknown.
    """

    permissions: Permissions = field(default_factory=Permissions)
    ip_whitelist: IpWhitelist = field(default_factory=IpWhitelist)
    account: Account = field(default_factory=Account)
    label: str | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None
    trade_expires_at: datetime | None = None
    expiry_rule: str | None = None
    disabled: bool | None = None
    unknown_words: tuple[str, ...] = ()


class FailureKind(StrEnum):
    """Why a live read did not succeed."""

    INVALID_KEY = "invalid_key"
    BAD_SIGNATURE = "bad_signature"
    WRONG_PASSPHRASE = "wrong_passphrase"  # noqa: S105 - a kind, not a password
    MISSING_PASSPHRASE = "missing_passphrase"  # noqa: S105 - a kind, not a password
    PERMISSION_DENIED = "permission_denied"
    IP_NOT_ALLOWED = "ip_not_allowed"
    KEY_EXPIRED = "key_expired"
    KEY_DISABLED = "key_disabled"
    ACCOUNT_RESTRICTED = "account_restricted"
    CLOCK_SKEW = "clock_skew"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    MAINTENANCE = "maintenance"
    REGION_BLOCKED = "region_blocked"
    WRONG_ENVIRONMENT = "wrong_environment"
    WRONG_ACCOUNT_MODE = "wrong_account_mode"
    AMBIGUOUS_AUTH = "ambiguous_auth"
    BAD_REQUEST = "bad_request"
    UNEXPECTED_RESPONSE = "unexpected_response"


#: Kinds for which the same call may succeed a little later.
RETRYABLE = frozenset(
    {
        FailureKind.CLOCK_SKEW,
        FailureKind.RATE_LIMITED,
        FailureKind.UNAVAILABLE,
        FailureKind.MAINTENANCE,
    }
)

#: Kinds in which the exchange refused this key; the others say nothing about it.
REFUSALS = frozenset(
    {
        FailureKind.INVALID_KEY,
        FailureKind.BAD_SIGNATURE,
        FailureKind.WRONG_PASSPHRASE,
        FailureKind.MISSING_PASSPHRASE,
        FailureKind.PERMISSION_DENIED,
        FailureKind.IP_NOT_ALLOWED,
        FailureKind.KEY_EXPIRED,
        FailureKind.KEY_DISABLED,
        FailureKind.ACCOUNT_RESTRICTED,
        FailureKind.WRONG_ENVIRONMENT,
        FailureKind.WRONG_ACCOUNT_MODE,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a read failed, in our words.

    ``message`` is a sentence of ours that may hold the exchange's code and its message after
    redaction, never a signed URL. ``caller_ip`` is the address that the exchange saw, where it
    names it. ``retry_after`` is in seconds from the answer, where the exchange says so.
    ``candidates`` are the possible kinds of an ``ambiguous_auth``. ``call`` is the name of the
    call that failed; ``code`` and ``status`` are the exchange's code and the HTTP status.
    """

    kind: FailureKind
    message: str
    caller_ip: str | None = None
    retry_after: float | None = None
    candidates: tuple[FailureKind, ...] = ()
    call: str = ""
    code: str | None = None
    status: int | None = None

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later without anybody changing anything."""
        return self.kind in RETRYABLE


class CallFailed(Exception):
    """Carries a :class:`Failure` up from one call; never shown to people as an exception."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.kind.value)
        self.failure = failure


class Health(StrEnum):
    """What an exchange says of itself."""

    OPERATIONAL = "operational"
    MAINTENANCE = "maintenance"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Whether a read that a bot depends on succeeds with this key: ``balance`` or ``orders``."""

    name: str
    failure: Failure | None = None


_NOTHING: Final = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wallet:
    """What an account holds of each currency in one market, whether or not orders and positions bind it.

    Of a currency that is not among ``held`` the account has nothing if the answer was of the ``whole``
    wallet, else nobody knows. What somebody owns is nobody else's business: amounts are in no repr, no
    report and no state, and only checks look at them.
    """

    held: Mapping[str, Decimal] = field(repr=False)
    whole: bool = True

    def of(self, currency: str) -> Decimal | None:
        """How much of ``currency`` it holds, ``None`` when nobody knows."""
        return self.held.get(currency, _NOTHING if self.whole else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """All that one pass learned about one connection.

    ``clock_skew`` is this machine's clock minus the exchange's, in seconds. ``caller_ip`` is the
    address that the calls left from as far as anybody told (``caller_ip_source`` says who:
    ``exchange``, ``failure`` or ``operator``). ``report`` is ``None`` exactly when ``failure``
    is set or when nothing was tried (``unread`` then says why). ``wallet`` is of the connection's
    market, ``None`` when the exchange did not say. ``pairs`` has whether each pair of the strategies that
    should run is open for trading, as far as the exchange can be asked for its list of such markets.
    """

    connection: str
    exchange: str
    observed_at: datetime
    report: KeyReport | None = None
    failure: Failure | None = None
    unread: str | None = None
    proofs: Mapping[str, Proof] = field(default_factory=dict)
    wallet: Wallet | None = None
    pairs: Mapping[str, bool | None] = field(default_factory=dict)
    health: Health = Health.UNKNOWN
    clock_skew: float | None = None
    caller_ip: str | None = None
    caller_ip_source: str | None = None


class Status(StrEnum):
    """The status of a connection. ``CONNECTED`` is shown as *Online*."""

    CONNECTED = "connected"
    DEGRADED = "degraded"
    REJECTED = "rejected"
    UNREACHABLE = "unreachable"
    UNCHECKED = "unchecked"

    @property
    def shown(self) -> str:
        """The word for people."""
        return "Online" if self is Status.CONNECTED else self.value.capitalize()
