"""HTX: what it tells of a key (``user/api-key``), its proofs, its errors.

Sources, as named in the rows: [HDOC] huobiapi.github.io/docs/spot/v1/en (branch v1_en), [HDM] the same
site's docs/dm and docs/usdt_swap, [HKEY] www.htx.com/en-us/apikey, [JK] JKorf/HTX.Net fixtures, [CX] ccxt
4.5.90 ``htx.py``.

HTX speaks three dialects: ``status`` and ``err-code`` (v1), ``err_code`` (contracts), ``code`` and
``message`` (v2 and v5). The English stem of a message is the same in all, so rows match on it first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

from reconciler.exchanges import parse
from reconciler.exchanges.errors import HTTP_OK, ErrorRow, classify, unexpected
from reconciler.exchanges.interface import OWN_KEY, Answer, Ask, Budget, Call, Exchange, Json, Readable
from reconciler.exchanges.listings import HTX as LISTINGS
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
    path="/v1/common/timestamp",
    implicit="spotPublicGetV1CommonTimestamp",
    public=True,
    source="[HDOC] Get current timestamp",
)
STATUS: Final = Call(
    name="status",
    path="/v2/market-status",
    implicit="spotPublicGetV2MarketStatus",
    public=True,
    source="[HDOC] Get market status",
)
UID: Final = Call(
    name="uid", path="/v2/user/uid", implicit="spotPrivateGetV2UserUid", source="[HDOC] Get UID"
)
KEY: Final = Call(
    name="key",
    path="/v2/user/api-key",
    implicit="spotPrivateGetV2UserApiKey",
    source="[HDOC] API key query",
)
ACCOUNTS: Final = Call(
    name="accounts",
    path="/v1/account/accounts",
    implicit="spotPrivateGetV1AccountAccounts",
    source="[HDOC] Get all accounts of the current user",
)
BALANCE: Final = Call(
    name="balance",
    path="/v1/account/accounts/{account_id}/balance",
    implicit="spotPrivateGetV1AccountAccountsAccountIdBalance",
    source="[HDOC] Get account balance of a specific account",
)
ORDERS: Final = Call(
    name="orders",
    path="/v1/order/openOrders",
    implicit="spotPrivateGetV1OrderOpenOrders",
    source="[HDOC] Get all open orders; account and symbol go together or not at all",
)
FUTURES_BALANCE: Final = Call(
    name="balance-futures",
    path="/v5/account/balance",
    implicit="contractPrivateGetV5AccountBalance",
    source="[CX] fetch_balance",
)
FUTURES_ORDERS: Final = Call(
    name="orders-futures",
    path="/v5/trade/order/opens",
    implicit="contractPrivateGetV5TradeOrderOpens",
    source="[CX] fetch_open_orders",
)

_P = Permission
#: Permission word -> what it grants: one word for orders in every market and for transfers. [HDOC]
WORDS: Final[Mapping[str, tuple[Permission, ...]]] = {
    "readOnly": (_P.READ,),
    "trade": (_P.SPOT, _P.MARGIN, _P.FUTURES, _P.OPTIONS, _P.TRANSFER),
    "withdraw": (_P.WITHDRAW,),
}
#: Reading is part of every key that can be made, yet a list that leaves it out was never documented.
PERHAPS: Final[Mapping[str, tuple[Permission, ...]]] = {"trade": (_P.READ,), "withdraw": (_P.READ,)}
_FIELDS: Final = frozenset(
    {"accessKey", "status", "note", "permission", "ipAddresses", "validDays", "createTime", "updateTime"}
)
_REQUIRED: Final = frozenset({"permission", "status", "ipAddresses"})
_PERMANENT: Final = -1
#: Beyond this a number of days is a sentinel that nobody documents.
_MAX_DAYS: Final = 36_500

_KIND = FailureKind
_AUTH: Final = "[HDOC] FAQ, api-signature-not-valid"
_CONTRACT: Final = "[HDM] error codes"
_UNCLEAR: Final = (_KIND.INVALID_KEY, _KIND.BAD_SIGNATURE, _KIND.PERMISSION_DENIED, _KIND.IP_NOT_ALLOWED)
_RESET: Final = "x-hb-ratelimit-requests-expire"
ROWS: Final[tuple[ErrorRow, ...]] = (
    ErrorRow(kind=_KIND.INVALID_KEY, match=r"incorrect access key", html=False, source=_AUTH),
    ErrorRow(kind=_KIND.IP_NOT_ALLOWED, match=r"incorrect ip address", html=False, source=_AUTH),
    ErrorRow(kind=_KIND.IP_NOT_ALLOWED, code="12005", source=_CONTRACT),
    ErrorRow(kind=_KIND.KEY_EXPIRED, match=r"api key has expired", html=False, source=_AUTH),
    ErrorRow(kind=_KIND.KEY_EXPIRED, code="12004", source=_CONTRACT),
    ErrorRow(
        kind=_KIND.CLOCK_SKEW,
        match=r"invalid submission time|incorrect time format",
        html=False,
        source=_AUTH,
    ),
    ErrorRow(kind=_KIND.CLOCK_SKEW, code="12001", source=_CONTRACT),
    ErrorRow(kind=_KIND.PERMISSION_DENIED, match=r"api key has no permission", html=False, source=_AUTH),
    ErrorRow(
        kind=_KIND.BAD_SIGNATURE,
        match=r"verification fail|invalid signature",
        html=False,
        note="HTX signs the host name too: a proxy that changes it shows itself in the same way.",
        source=f"{_AUTH}; 1003 in [CX]",
    ),
    ErrorRow(kind=_KIND.BAD_SIGNATURE, code="12008", source=_CONTRACT),
    ErrorRow(kind=_KIND.ACCOUNT_RESTRICTED, code="12009", source=f"{_CONTRACT}: locked"),
    ErrorRow(
        kind=_KIND.WRONG_ACCOUNT_MODE,
        code={"1010", "1220"},
        note="The account has not opened contract trading.",
        source="[CX]",
    ),
    ErrorRow(
        kind=_KIND.WRONG_ACCOUNT_MODE,
        code="4007",
        note="The account is not in the unified mode that this request is for.",
        source="[CX]",
    ),
    ErrorRow(
        kind=_KIND.RATE_LIMITED,
        code={"rate-too-many-requests", "base-request-exceed-frequency-limit", "too-many-requests"}
        | {"api-limit-exceeded", "1032", "1006", "429"},
        until_header=_RESET,
        source="[CX]; [HDM] 1032; 1006 by what others recorded",
    ),
    ErrorRow(
        kind=_KIND.RATE_LIMITED,
        match=r"^request limit$|exceeded ?rate ?limit",
        html=False,
        until_header=_RESET,
        source="[CX] under the code invalid-parameter",
    ),
    ErrorRow(kind=_KIND.RATE_LIMITED, status=429, until_header=_RESET, source="[HDOC] rate limiting"),
    ErrorRow(kind=_KIND.MAINTENANCE, code={"system-maintenance", "1431"}, source="[CX]; [HDM] 1431"),
    ErrorRow(kind=_KIND.MAINTENANCE, match=r"in maintenance|maintain", html=False, source="[CX]"),
    ErrorRow(
        kind=_KIND.UNAVAILABLE,
        code={"gateway-internal-error", "timeout", "1004", "500"},
        source="[CX]; [HDM] 1004; [HDOC] v2 500",
    ),
    ErrorRow(
        kind=_KIND.AMBIGUOUS_AUTH,
        code={"api-signature-not-valid", "api-signature-check-failed", "1003", "401", "403"},
        candidates=_UNCLEAR,
        source=f"{_AUTH}, with a message that nobody documents",
    ),
    ErrorRow(
        kind=_KIND.AMBIGUOUS_AUTH,
        code="1002",
        candidates=_UNCLEAR,
        source="[HDOC] v2: unauthorized; for a sub-account's key too",
    ),
    ErrorRow(
        kind=_KIND.BAD_REQUEST,
        code={"2002", "2003", "bad-request", "invalid-parameter", "validation-format-error"}
        | {"validation-constraints-required"},
        source="[HDOC] v2: invalid or missing field; [CX]",
    ),
)

#: Calls whose success is ``code`` 200; the others say ``status`` ok.
_BY_CODE: Final = frozenset({STATUS.name, UID.name, KEY.name, FUTURES_BALANCE.name, FUTURES_ORDERS.name})
#: After these the older API is asked for accounts: it names the reason, and the caller's address.
#: Where it answers, the key is one of a sub-account, for which HTX says nothing about keys.
_ASK_AGAIN: Final = frozenset({_KIND.PERMISSION_DENIED, _KIND.AMBIGUOUS_AUTH, _KIND.IP_NOT_ALLOWED})
#: Types of account by market, the preferred one first.
_TYPES: Final = {Market.SPOT: ("spot",), Market.MARGIN: ("super-margin", "margin")}
_HEALTH: Final = {1: Health.OPERATIONAL, 2: Health.MAINTENANCE, 3: Health.MAINTENANCE}


class Htx(Exchange):
    """HTX. A main account's key tells everything but its market; a sub-account's key tells nothing."""

    id = "htx"
    ccxt_id = "htx"
    name = "HTX"
    calls = (
        TIME,
        STATUS,
        UID,
        KEY,
        ACCOUNTS,
        BALANCE,
        ORDERS,
        FUTURES_BALANCE,
        FUTURES_ORDERS,
        *calls_of(LISTINGS),
    )
    time = TIME
    status = STATUS
    budget = Budget(
        units=50,
        seconds=1,
        burst=50,
        source="[HDOC] private limits count for one key, none for one IP; 50 a second is our own caution",
    )
    attestable = frozenset({"withdraw_disabled", "ip_whitelist"})
    readable = Readable(
        read_trade="yes; nothing of a sub-account's key",
        futures="no, one right for every market",
        withdraw="yes; nothing of a sub-account's key",
        transfer="yes, as part of trading",
        ip_list="yes; nothing of a sub-account's key",
        expiry="yes, in days left",
        sub_account="no",
    )
    key_page = "https://www.htx.com/en-us/apikey"
    wallets = frozenset({Market.SPOT, Market.FUTURES})
    listings = LISTINGS

    async def read_key(self, ask: Ask, market: Market) -> KeyReport:
        """The key's report; for a key that may not ask about keys, that it reads and no more."""
        del market
        uid: str | None = None
        try:
            uid = parse.uid(parse.fields(await ask(UID)).get("data"))
            if uid is None:
                raise unexpected(UID.name, "HTX told no uid.")
            body = await ask(KEY, {"uid": uid, "accessKey": OWN_KEY})
        except CallFailed as failed:
            if failed.failure.kind not in _ASK_AGAIN:
                raise
            await ask(ACCOUNTS)
            if failed.failure.kind is _KIND.IP_NOT_ALLOWED:
                raise
            return KeyReport(permissions=Permissions(read=True), account=Account(uid=uid))
        return _report(_entry(body, ask), uid=uid, now=ask.now())

    async def read_balance(self, ask: Ask, market: Market) -> Wallet | None:
        """The balance of the market's account, or of the unified contract account."""
        if market is Market.FUTURES:
            rows = parse.fields(parse.fields(await ask(FUTURES_BALANCE)).get("data")).get("details")
            return wallet(rows, currency="currency", parts=("equity",), whole=False)
        account = _account(await ask(ACCOUNTS), market)
        rows = parse.fields(parse.fields(await ask(BALANCE, {"account-id": account})).get("data")).get("list")
        return wallet(rows, currency="currency", parts=("balance",)) if market is Market.SPOT else None

    async def read_orders(self, ask: Ask, market: Market, pairs: tuple[str, ...]) -> None:
        """Open orders: every one on spot and futures, those of the first pair on margin."""
        if market is Market.FUTURES:
            await ask(FUTURES_ORDERS)
            return
        params: dict[str, Any] = {}
        if market is Market.MARGIN:
            symbol = parse.pair(pairs[0] if pairs else "BTC/USDT", "").lower()
            params = {"account-id": _account(await ask(ACCOUNTS), market, symbol=symbol), "symbol": symbol}
        await ask(ORDERS, params)

    def judge(self, answer: Answer) -> Failure | None:
        """``None`` only for HTTP 200 with the call's own sign of success; [CX] lets v2 failures pass."""
        if answer.status == HTTP_OK and answer.transport is None and _success(answer):
            return None
        return classify(
            ROWS,
            call=answer.call.name,
            status=answer.status,
            code=parse.said(answer.body, "err-code", "err_code", "code"),
            message=parse.said(answer.body, "err-msg", "err_msg", "message", "msg") or "",
            answer=answer,
        )

    def parse_time(self, body: Json) -> int:
        """``{"status": "ok", "data": 1494900087029}``. Source: [HDOC] Get current timestamp."""
        told = parse.integer(parse.fields(body).get("data"))
        if told is None:
            raise ValueError("HTX told no timestamp")
        return told

    def parse_status(self, body: Json) -> Health:
        """1 normal; 2 halted and 3 cancel-only are maintenance. Source: [HDOC] Get market status."""
        data = parse.fields(parse.fields(body).get("data"))
        return _HEALTH.get(parse.integer(data.get("marketStatus")) or 0, Health.UNKNOWN)


def _success(answer: Answer) -> bool:
    body = parse.fields(answer.body)
    if answer.call.name in _BY_CODE:
        return parse.integer(body.get("code")) == HTTP_OK and "data" in body
    return body.get("status") == "ok" and "data" in body


def _account(body: Json, market: Market, *, symbol: str = "") -> str:
    """The id of the account that serves ``market``; an isolated one is named after its symbol.

    Raises:
        CallFailed: ``wrong_account_mode`` when the user has no such account.
    """
    listed = parse.fields(body).get("data")
    accounts = [parse.fields(each) for each in listed] if isinstance(listed, list) else []
    wanted = _TYPES[market]
    # A stable sort: the preferred type first, then the symbol's own account.
    fitting = sorted(
        (each for each in accounts if each.get("type") in wanted),
        key=lambda each: (wanted.index(each["type"]), each.get("subtype") != symbol),
    )
    found = next((uid for each in fitting if (uid := parse.uid(each.get("id")))), None)
    if found is None:
        kind = _KIND.WRONG_ACCOUNT_MODE
        why = f"{KINDS[kind].title}: the user has no {market} account yet."
        raise CallFailed(Failure(kind=kind, message=why, call=ACCOUNTS.name))
    return found


def _entry(body: Json, ask: Ask) -> Mapping[str, Json]:
    """This key's entry of the answer; the question names the key, so an entry without one is it too."""
    listed = parse.fields(body).get("data")
    entries = [parse.fields(each) for each in (listed if isinstance(listed, list) else [listed])]
    own = [each for each in entries if "accessKey" not in each or ask.owns(str(each["accessKey"]))]
    if len(own) != 1 or _REQUIRED.isdisjoint(own[0]):
        raise unexpected(KEY.name, "HTX described no key, or another one.")
    return own[0]


def _report(entry: Mapping[str, Json], *, uid: str, now: datetime) -> KeyReport:
    permissions, unknown = _permissions(entry)
    days = parse.integer(entry.get("validDays"))
    ended = parse.text(entry.get("status")) == "expired"
    return KeyReport(
        permissions=permissions,
        ip_whitelist=parse.whitelist(entry.get("ipAddresses")),
        account=Account(uid=uid),
        label=parse.text(entry.get("note")),
        created_at=parse.moment(entry.get("createTime")),
        expires_at=_day(0, now) if ended else _expiry(days, now),
        disabled=False if parse.text(entry.get("status")) == "normal" else None,
        unknown_words=unknown,
    )


def _expiry(days: int | None, now: datetime) -> datetime | None:
    """The start of the day on which the key ends; -1 is never ([HDOC] ``validDays``).

    No days left is the last day, and not a past one: the exchange has just taken the key.
    """
    return None if days is None or not _PERMANENT < days <= _MAX_DAYS else _day(max(days, 1), now)


def _day(days: int, now: datetime) -> datetime:
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=days), time(), UTC)


def _permissions(entry: Mapping[str, Json]) -> tuple[Permissions, tuple[str, ...]]:
    strange = parse.strange_rights(entry, _FIELDS)
    listed = parse.words(entry.get("permission"))
    if not listed:  # no key is without reading, so an empty list is no denial
        return Permissions(), strange
    permissions, unknown = parse.granted((*listed, *strange), WORDS, perhaps=PERHAPS)
    if permissions.options:  # HTX closed its options market; what the right still reaches is not told
        permissions = replace(permissions, options=None)
    return permissions, unknown


EXCHANGE: Final = Htx()
