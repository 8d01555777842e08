"""OKX: what it tells of a key (``account/config``), its proofs, its errors.

Sources, as named in the rows: [OKX] www.okx.com/docs-v5 (copy of July 2026), [CX] ccxt 4.5.90 ``okx.py``,
[JK] JKorf/OKX.Net test fixtures (real answers), [401] pyted/okx#1 (the table of HTTP 401 answers).

``perm`` has one word, ``trade``, for every market and for transfers between own accounts; how far it
reaches depends on the mode of the account, which is told beside it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from reconciler.exchanges import parse
from reconciler.exchanges.errors import HTTP_OK, ErrorRow, classify, unexpected
from reconciler.exchanges.interface import Answer, Ask, Budget, Call, Exchange, Json, Readable
from reconciler.exchanges.listings import OKX as LISTINGS
from reconciler.exchanges.listings import calls_of
from reconciler.exchanges.wallet import wallet
from reconciler.model.desired import Market
from reconciler.model.kinds import KINDS
from reconciler.model.live import (
    Account,
    CallFailed,
    Failure,
    FailureKind,
    Health,
    KeyReport,
    Permission,
    Permissions,
    Wallet,
)

TIME: Final = Call(
    name="time",
    path="/api/v5/public/time",
    implicit="publicGetPublicTime",
    public=True,
    source="[OKX] Get system time",
)
STATUS: Final = Call(
    name="status",
    path="/api/v5/system/status",
    implicit="publicGetSystemStatus",
    weight=5,
    public=True,
    source="[OKX] Status: once in 5 s for one IP",
)
KEY: Final = Call(
    name="key",
    path="/api/v5/account/config",
    implicit="privateGetAccountConfig",
    source="[OKX] Get account configuration: 5 in 2 s for one user",
)
BALANCE: Final = Call(
    name="balance",
    path="/api/v5/account/balance",
    implicit="privateGetAccountBalance",
    source="[OKX] Get balance: 10 in 2 s for one user",
)
ORDERS: Final = Call(
    name="orders",
    path="/api/v5/trade/orders-pending",
    implicit="privateGetTradeOrdersPending",
    source="[OKX] Get order list: 60 in 2 s for one user",
)

_P = Permission
_BY_MODE: Final = (_P.MARGIN, _P.FUTURES, _P.OPTIONS)
#: Permission word -> what it grants; ``read`` is how the endpoints of sub-account keys spell it.
WORDS: Final[Mapping[str, tuple[Permission, ...]]] = {
    "read_only": (_P.READ,),
    "read": (_P.READ,),
    "trade": (_P.SPOT, *_BY_MODE, _P.TRANSFER),
    "withdraw": (_P.WITHDRAW,),
}
_SPOT_MODE: Final = "1"
#: Futures, multi-currency margin and portfolio margin mode. [OKX] Get account configuration, acctLv
_WIDE_MODES: Final = frozenset({"2", "3", "4"})
_ACTIVE: Final = "1"
#: The other fields are settings of the account; only such a name could be a right of the key.
_RIGHT: Final = re.compile(r"perm|withdraw|scope|right|read_?only", re.IGNORECASE)
_FIELDS: Final = frozenset({"perm"})

_KIND = FailureKind
_CODES: Final = "[OKX] error codes"
ROWS: Final[tuple[ErrorRow, ...]] = (
    ErrorRow(
        kind=_KIND.INVALID_KEY,
        code="50119",
        note="Each OKX site (www, EEA, US) has its own keys: this one may belong to another site.",
        source="[401] API key doesn't exist; ccxt#23779, python-okx#118, freqtrade#10967",
    ),
    ErrorRow(kind=_KIND.INVALID_KEY, code="50111", source=f"{_CODES} Invalid OK-ACCESS-KEY"),
    ErrorRow(kind=_KIND.BAD_SIGNATURE, code="50113", source=f"{_CODES} Invalid Sign"),
    ErrorRow(kind=_KIND.WRONG_PASSPHRASE, code="50105", source=f"{_CODES} passphrase incorrect"),
    ErrorRow(kind=_KIND.MISSING_PASSPHRASE, code="50104", source=f"{_CODES} passphrase empty"),
    ErrorRow(kind=_KIND.CLOCK_SKEW, code={"50102", "50112"}, source=f"{_CODES} Timestamp request expired"),
    ErrorRow(
        kind=_KIND.WRONG_ENVIRONMENT,
        code={"50101", "50038"},
        note="Keys of demo trading and of live trading do not work in each other's place.",
        source=f"{_CODES} APIKey does not match current environment; unavailable in demo trading",
    ),
    ErrorRow(kind=_KIND.IP_NOT_ALLOWED, code="50110", source="[401] Your IP .. is not included in .."),
    ErrorRow(
        kind=_KIND.PERMISSION_DENIED,
        code="50035",
        note="This request asks for a key that is bound to addresses.",
        source=f"{_CODES} must be bound to IP",
    ),
    ErrorRow(kind=_KIND.PERMISSION_DENIED, code={"50120", "50030", "50114", "59500"}, source=_CODES),
    ErrorRow(
        kind=_KIND.KEY_DISABLED,
        code="50100",
        note="OKX may have frozen the account's API as a whole.",
        source=f"{_CODES} API frozen",
    ),
    ErrorRow(
        kind=_KIND.REGION_BLOCKED, code={"50121", "50051", "51155"}, source=f"{_CODES} local compliance"
    ),
    ErrorRow(
        kind=_KIND.ACCOUNT_RESTRICTED,
        code={"50007", "50009", "50012", "50019", "50022", "50027", "59508"},
        source=f"{_CODES} user blocked, account suspended or frozen",
    ),
    ErrorRow(kind=_KIND.WRONG_ACCOUNT_MODE, code="51010", source=f"{_CODES} the current account mode"),
    ErrorRow(kind=_KIND.RATE_LIMITED, code={"50011", "50061"}, source=f"{_CODES} Rate limit reached"),
    ErrorRow(kind=_KIND.MAINTENANCE, code="50001", source=f"{_CODES} Service temporarily unavailable"),
    ErrorRow(
        kind=_KIND.UNAVAILABLE,
        code={"50004", "50005", "50013", "50026", "500"},
        source=f"{_CODES} busy (50013 comes with HTTP 429) or failing; the number 500 was seen live",
    ),
    ErrorRow(
        kind=_KIND.BAD_REQUEST,
        code={"50000", "50002", "50006", "50014", "50103", "50106", "50107", "50115", "51000", "51001"}
        | {str(number) for number in range(59501, 59507)},
        source=f"{_CODES} the request itself, or keys of sub-accounts",
    ),
)

_INSTRUMENTS: Final = {Market.SPOT: "SPOT", Market.MARGIN: "MARGIN", Market.FUTURES: "SWAP"}
_STATES: Final = {
    "ongoing": Health.MAINTENANCE,
    "pre_open": Health.MAINTENANCE,  # cancelling and post-only orders are back, trading is not
    "scheduled": Health.OPERATIONAL,
    "completed": Health.OPERATIONAL,
    "canceled": Health.OPERATIONAL,
}
_DEMO: Final = "2"
#: Block trading, trading bots, spread trading, copy trading: none of them is the API of a strategy.
_ELSEWHERE: Final = frozenset({"2", "3", "6", "7"})
#: WebSocket, and trading as a whole, by accounts or by products. [OKX] Status, serviceType
_TRADING: Final = frozenset({"0", "1", "4", "5"})


class Okx(Exchange):
    """OKX. Permissions in three words, addresses, label and account; creation and expiry are not told."""

    id = "okx"
    ccxt_id = "okx"
    name = "OKX"
    credentials = ("api_key", "secret", "passphrase")
    calls = (TIME, STATUS, KEY, BALANCE, ORDERS, *calls_of(LISTINGS))
    time = TIME
    status = STATUS
    budget = Budget(
        units=50,
        seconds=1,
        burst=50,
        source="[OKX] private limits count for one user, none for one IP; 50 a second is our own caution",
    )
    readable = Readable(
        futures="yes, unless the account is in Spot mode",
        transfer="yes, as part of trading",
        expiry="no; without a whitelist a trading key ends after 14 days without a call",
        created="no",
    )
    key_page = "https://www.okx.com/account/my-api"
    wallets = frozenset(Market)
    listings = LISTINGS

    async def read_key(self, ask: Ask, market: Market) -> KeyReport:
        """The key's report from the account's configuration."""
        del market
        return _report(_config(await ask(KEY)))

    async def read_balance(self, ask: Ask, market: Market) -> Wallet | None:
        """The trading account's balance: one account serves every market."""
        del market
        return wallet(_first(await ask(BALANCE)).get("details"), currency="ccy", parts=("eq",))

    async def read_orders(self, ask: Ask, market: Market, pairs: tuple[str, ...]) -> None:
        """Open orders of the market, in an account whose mode has that market at all."""
        del pairs
        if market is not Market.SPOT:
            _require_mode(_config(await ask(KEY)), market)
        await ask(ORDERS, {"instType": _INSTRUMENTS[market]})

    def judge(self, answer: Answer) -> Failure | None:
        """``None`` only for HTTP 200 with the text ``"0"`` as code and a list as data."""
        body = parse.fields(answer.body)
        if answer.status == HTTP_OK and body.get("code") == "0" and isinstance(body.get("data"), list):
            return None
        code, message = _said(body)
        return classify(
            ROWS, call=answer.call.name, status=answer.status, code=code, message=message, answer=answer
        )

    def parse_time(self, body: Json) -> int:
        """``{"code": "0", "data": [{"ts": "1597026383085"}]}``. Source: [OKX] Get system time."""
        told = parse.integer(_first(body).get("ts"))
        if told is None:
            raise ValueError("OKX told no ts")
        return told

    def parse_status(self, body: Json) -> Health:
        """Whether any live event of the list is going on; ccxt lets the last one win.

        Source: [OKX] Status.
        """
        events = parse.fields(body).get("data")
        if not isinstance(events, list):
            return Health.UNKNOWN
        found = {_health(parse.fields(event)) for event in events}
        worst_first = (Health.MAINTENANCE, Health.UNKNOWN)
        return next((health for health in worst_first if health in found), Health.OPERATIONAL)


def _health(event: Mapping[str, Json]) -> Health:
    """What one event means for live trading."""
    state = _STATES.get(str(event.get("state")), Health.UNKNOWN)
    service = parse.said(event, "serviceType")
    if state is Health.OPERATIONAL or parse.said(event, "env") == _DEMO or service in _ELSEWHERE:
        return Health.OPERATIONAL
    return state if service is None or service in _TRADING else Health.UNKNOWN


def _said(body: Mapping[str, Json]) -> tuple[str | None, str]:
    """Code and message of a failure, which may stand on the first item ([CX] handle_errors)."""
    item, whole = _first(body), parse.said(body, "code")
    code = parse.said(item, "sCode") if whole in {"1", "2"} else None
    message = parse.said(item, "sMsg") if code else parse.said(body, "msg")
    return code or whole, message or ""


def _first(body: Json) -> Mapping[str, Json]:
    data = parse.fields(body).get("data")
    return parse.fields(data[0]) if isinstance(data, list) and data else {}


def _config(body: Json) -> Mapping[str, Json]:
    """The one description in the answer: of several, nobody could say which is this key's."""
    data = parse.fields(body).get("data")
    config = parse.fields(data[0]) if isinstance(data, list) and len(data) == 1 else {}
    if "perm" not in config and "uid" not in config:
        raise unexpected(KEY.name, "OKX described no key, or more than one.")
    return config


def _require_mode(config: Mapping[str, Json], market: Market) -> None:
    """Raise ``wrong_account_mode`` for an account that is told to be in Spot mode.

    In that mode margin orders are possible only after borrowing was switched on ([OKX]
    ``enableSpotBorrow``), futures orders never.
    """
    borrows = market is Market.MARGIN and parse.flag(config.get("enableSpotBorrow")) is not False
    if parse.said(config, "acctLv") != _SPOT_MODE or borrows:
        return
    kind = _KIND.WRONG_ACCOUNT_MODE
    why = f"the account is in Spot mode (acctLv 1), in which OKX takes no {market} orders."
    raise CallFailed(Failure(kind=kind, message=f"{KINDS[kind].title}: {why}", call=ORDERS.name))


def _report(config: Mapping[str, Json]) -> KeyReport:
    permissions, unknown = _permissions(config)
    return KeyReport(
        permissions=permissions,
        ip_whitelist=parse.whitelist(config.get("ip")),
        account=_account(config),
        label=parse.text(config.get("label")),
        unknown_words=unknown,
    )


def _permissions(config: Mapping[str, Json]) -> tuple[Permissions, tuple[str, ...]]:
    """What ``perm`` grants. A market that the account's mode keeps ``trade`` from is unknown.

    It is no denial: a key that may trade may change the mode too ([OKX] Set account mode).
    """
    strange = tuple(name for name in parse.strange_rights(config, _FIELDS) if _RIGHT.search(name))
    listed = parse.words(config.get("perm"))
    if not listed:  # this very call needs read_only, so an empty list is no denial
        return Permissions(), strange
    permissions, unknown = parse.granted((*listed, *strange), WORDS)
    permissions = replace(permissions, read=permissions.read or None)  # for the same reason no denial
    if permissions.spot and parse.said(config, "acctLv") not in _WIDE_MODES:
        permissions = replace(permissions, margin=None, futures=None, options=None)
    if permissions.spot and parse.said(config, "opAuth") != _ACTIVE:
        permissions = replace(permissions, options=None)
    return permissions, unknown


def _account(config: Mapping[str, Json]) -> Account:
    """Whose key it is; the ids exceed 2**53 and are text. A main account is its own ``mainUid``."""
    uid, main = parse.uid(config.get("uid")), parse.uid(config.get("mainUid"))
    if uid is None or main is None:
        return Account(uid=uid)
    return Account(uid=uid, is_sub=uid != main, parent_uid=main if uid != main else None)


EXCHANGE: Final = Okx()
