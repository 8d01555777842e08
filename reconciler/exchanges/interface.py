"""What every exchange module gives: calls, parsers, an error table, a budget and its documentation.

A module describes; it never talks. ``live/`` makes the calls and hands the raw answers back, so
that every parser and classifier here is a pure function that a test can drive with bytes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Final, Protocol, TypeAlias

from reconciler.exchanges.pairs import PairKind
from reconciler.model.desired import Market
from reconciler.model.live import Failure, Health, KeyReport, Wallet
from reconciler.model.secret import Credentials

Json: TypeAlias = Any
"""A decoded JSON document: mapping, list, text, number, bool or None."""

#: Bytes of an answer; a longer one is cut and then is no JSON. No answer about a key is longer.
LARGEST: Final = 4 * 1024 * 1024
#: Bytes of a list of markets: the longest have a few thousand entries of 2 to 4 KB.
LARGEST_LIST: Final = 16 * 1024 * 1024

#: As a parameter value: the client puts the key's own API key in its place, so that no exchange
#: module ever holds a secret (MEXC's ``apiKeyInfo`` asks for it).
OWN_KEY: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One read-only request that an exchange module may make; the guard lets through nothing else.

    ``name`` is ours and stable: ``key``, ``uid``, ``balance``, ``orders``, ``time``, ``status``,
    ``my-ip`` or a variant such as ``key-uta``. ``implicit`` is ccxt's implicit method; where ccxt
    has none, ``raw`` is ``(ccxt path, api list)`` for ``Exchange.request``. ``path`` is the path
    on the wire, in which a segment ``{name}`` stands for any one segment. ``weight`` is in the
    unit of the exchange's :class:`Budget`. ``public`` calls need no key and are made once per
    exchange and egress. ``source`` names the documentation. ``largest`` is how many bytes of an
    answer are read.
    """

    name: str
    path: str
    implicit: str = ""
    raw: tuple[str, tuple[str, ...]] | None = None
    method: str = "GET"
    weight: float = 1.0
    public: bool = False
    source: str = ""
    largest: int = LARGEST


class Transport(StrEnum):
    """Why no HTTP answer came at all."""

    TIMEOUT = "timeout"
    CONNECT = "connect"
    TLS = "tls"
    PROXY = "proxy"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back for one call, before anybody judged it.

    ``status`` is 0 when ``transport`` says why there was none. ``headers`` are lower-cased.
    ``body`` is the decoded JSON (numbers as int/float, big ints intact), or ``None`` when the
    body was not JSON, and then ``text`` holds its first 2,000 characters. ``ccxt_error`` is the
    class name that ccxt would have raised, ``None`` when it would have raised nothing.
    """

    call: Call
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Json = None
    text: str = ""
    transport: Transport | None = None
    ccxt_error: str | None = None


class Ask(Protocol):
    """Makes one call with the connection's key and gives the JSON body of a judged success."""

    async def __call__(self, call: Call, params: Mapping[str, Any] | None = None) -> Json:
        """Raise :class:`reconciler.model.live.CallFailed` when ``judge`` found a failure."""

    def now(self) -> datetime:
        """The time by which "days left" in an answer count, in UTC."""

    def owns(self, shown: str) -> bool:
        """Whether an API key as the exchange prints it (``c5dcfbf1f3a7*****``) can be this one.

        For exchanges that list every key of an account; no exchange module ever holds a key.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much one address may ask: ``units`` of weight within ``seconds``, with its source.

    ``burst`` is how many units may go at once; the rest are paced.
    """

    units: float
    seconds: float
    source: str
    burst: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One list of an exchange's markets: what to ask for it, and how to have ccxt read the answers.

    ``requests`` are public calls, each with its parameters. ``reads`` is ccxt's own function, which is
    given these answers where it would send the same requests, and nothing for any other. ``options`` are
    put into ccxt's. ``cursor`` leads to the field that names the next page of an answer: one page has
    room for all there is, and if once it has not, the list is unknown.
    """

    requests: tuple[tuple[Call, Mapping[str, Any]], ...]
    reads: str = "fetch_markets"
    options: Mapping[str, Any] = field(default_factory=dict)
    cursor: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Readable:
    """What the exchange tells of a key: ``yes``, ``no`` or a short remark, for the docs and the CLI."""

    read_trade: str = "yes"
    futures: str = "yes"
    withdraw: str = "yes"
    transfer: str = "yes"
    ip_list: str = "yes"
    expiry: str = "yes"
    label: str = "yes"
    created: str = "yes"
    uid: str = "yes"
    sub_account: str = "yes"


class Exchange(ABC):
    """One exchange. Instances hold no state and are shared by every key.

    Subclasses set the class variables and implement the abstract methods. ``calls`` lists every
    call that the module can ever make; ``time`` is one of them, and ``status`` and ``my_ip``
    where the exchange has them.
    """

    id: ClassVar[str]
    ccxt_id: ClassVar[str]
    name: ClassVar[str]
    credentials: ClassVar[tuple[str, ...]] = ("api_key", "secret")
    calls: ClassVar[tuple[Call, ...]]
    time: ClassVar[Call | None] = None
    status: ClassVar[Call | None] = None
    my_ip: ClassVar[Call | None] = None
    budget: ClassVar[Budget]
    readable: ClassVar[Readable]
    #: The subjects of ``attestations:`` that a sound answer leaves open, for every key or for some. On these
    #: alone a person's word is heard: where the exchange always tells, a silence is a fault of the answer.
    attestable: ClassVar[frozenset[str]] = frozenset()
    key_page: ClassVar[str] = ""
    #: The markets whose balance also tells what the account holds (:class:`Wallet`).
    wallets: ClassVar[frozenset[Market]] = frozenset()
    #: Where the exchange lists pairs of a kind; it is not asked about the kinds that are missing here.
    listings: ClassVar[Mapping[PairKind, Listing]] = {}
    #: Whether one key's calls must arrive in the order of their nonces, and so follow one another.
    one_at_a_time: ClassVar[bool] = False

    def unusable(self, credentials: Credentials) -> Failure | None:
        """Why no request can be signed with these, told before any is made; ``None`` when one can."""
        del credentials
        return None

    @abstractmethod
    async def read_key(self, ask: Ask, market: Market) -> KeyReport:
        """Ask what the exchange says of the key itself. Raise ``CallFailed`` when it says nothing."""

    @abstractmethod
    async def read_balance(self, ask: Ask, market: Market) -> Wallet | None:
        """Prove that balances can be read in ``market``; give what they are where the same answer says so."""

    @abstractmethod
    async def read_orders(self, ask: Ask, market: Market, pairs: tuple[str, ...]) -> None:
        """Prove that open orders can be read. ``pairs`` are ccxt symbols, where one is needed."""

    @abstractmethod
    def judge(self, answer: Answer) -> Failure | None:
        """The failure in an answer, or ``None`` only for a body that the exchange marks a success."""

    def parse_time(self, body: Json) -> int:
        """The exchange's clock in milliseconds since 1970. Raise ``ValueError`` on another shape."""
        del body
        raise ValueError(f"{self.id} tells no time")

    def parse_status(self, body: Json) -> Health:
        """The exchange's health from its ``status`` call; unknown for a shape we do not know."""
        del body
        return Health.UNKNOWN

    def parse_my_ip(self, body: Json) -> str | None:
        """The caller's address from the ``my_ip`` call, or ``None``."""
        del body
        return None
