"""KuCoin, classic and unified: what it tells of a key, its proofs, its errors.

Sources, as named in the rows: [KSDK] Kucoin/kucoin-universal-sdk ``spec/rest/api`` (OpenAPI), [KDOC]
Kucoin/kucoin-api-docs, [DOC] kucoin.com/docs ``rest/funding/transfer`` (pages by their titles), [TYP]
tiagosiebler/kucoin-api types, [CX] ccxt 4.5.90 ``kucoin.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from reconciler.exchanges import parse
from reconciler.exchanges.errors import HTTP_OK, ErrorRow, classify, unexpected
from reconciler.exchanges.interface import Answer, Ask, Budget, Call, Exchange, Json, Readable
from reconciler.exchanges.listings import KUCOIN as LISTINGS
from reconciler.exchanges.listings import calls_of
from reconciler.exchanges.wallet import only, wallet
from reconciler.model.desired import Market
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

_SDK: Final = "[KSDK] openapi-account"

TIME: Final = Call(
    name="time", path="/api/v1/timestamp", implicit="publicGetTimestamp", public=True, source="[KDOC]"
)
STATUS: Final = Call(
    name="status", path="/api/v1/status", implicit="publicGetStatus", public=True, source="[KDOC]"
)
MY_IP: Final = Call(
    name="my-ip", path="/api/v1/my-ip", raw=("my-ip", ("public",)), public=True, source="[KDOC] weight 0"
)
KEY: Final = Call(name="key", path="/api/v1/user/api-key", implicit="privateGetUserApiKey", source=_SDK)
KEY_UTA: Final = Call(
    name="key-uta",
    path="/api/ua/v1/user/api-key",
    raw=("user/api-key", ("utaPrivate",)),
    source="[TYP] unified account",
)
BALANCE: Final = Call(name="balance", path="/api/v1/accounts", implicit="privateGetAccounts", source=_SDK)
ORDERS: Final = Call(
    name="orders", path="/api/v1/hf/orders/active", implicit="privateGetHfOrdersActive", source="[KDOC]"
)
MARGIN_BALANCE: Final = Call(
    name="balance-margin", path="/api/v3/margin/accounts", implicit="privateGetMarginAccounts", source=_SDK
)
MARGIN_ORDERS: Final = Call(
    name="orders-margin",
    path="/api/v3/hf/margin/orders/active",
    implicit="privateGetHfMarginOrdersActive",
    source="[KDOC]",
)
FUTURES_BALANCE: Final = Call(
    name="balance-futures",
    path="/api/v1/account-overview",
    implicit="futuresPrivateGetAccountOverview",
    source=_SDK,
)
FUTURES_ORDERS: Final = Call(
    name="orders-futures", path="/api/v1/orders", implicit="futuresPrivateGetOrders", source="[KDOC]"
)
UTA_BALANCE: Final = Call(
    name="balance-uta",
    path="/api/ua/v1/unified/account/balance",
    implicit="utaPrivateGetAccountModeAccountBalance",
    source="[CX] fetch_balance",
)
UTA_ORDERS: Final = Call(
    name="orders-uta",
    path="/api/ua/v1/unified/order/open-list",
    implicit="utaPrivateGetAccountModeOrderOpenList",
    source="[CX] fetch_open_orders",
)

_P = Permission
#: Permission word -> what it grants. "Transfer" is the right to withdraw; moving funds between own
#: accounts is "InnerTransfer", shown as FlexTransfers. [KSDK] openapi-account, permission
WORDS: Final[Mapping[str, tuple[Permission, ...]]] = {
    "General": (_P.READ,),
    "Spot": (_P.SPOT,),
    "Margin": (_P.MARGIN,),
    "Futures": (_P.FUTURES,),
    "Transfer": (_P.WITHDRAW,),
    "InnerTransfer": (_P.TRANSFER,),
    "FlexTransfers": (_P.TRANSFER,),
    "Unified": (_P.SPOT, _P.FUTURES),
    "Earn": (),
    "LeadtradeFutures": (),
}
#: What a word may grant besides: documentation does not say how far these reach, and it opens the older
#: ways between the accounts of one owner to the rights to trade. [DOC] Inner Transfer asks for Spot, Transfer
#: to Main or TRADE Account for Futures; the newer FlexTransfer asks for InnerTransfer
PERHAPS: Final[Mapping[str, tuple[Permission, ...]]] = {
    "Transfer": (_P.TRANSFER,),
    "Spot": (_P.TRANSFER,),
    "Futures": (_P.TRANSFER,),
    "Unified": (_P.MARGIN, _P.TRANSFER),
    "LeadtradeFutures": (_P.FUTURES, _P.TRANSFER),
}
_FIELDS: Final = frozenset(
    {"remark", "apiKey", "apiVersion", "permission", "ipWhitelist", "createdAt", "uid", "isMaster"}
    | {"subName", "parentUid", "expiredAt", "thirdPartyApp", "region", "kycStatus", "siteType"}
)
_REQUIRED: Final = frozenset({"permission", "uid", "isMaster", "apiKey", "remark"})

_KIND = FailureKind
ROWS: Final[tuple[ErrorRow, ...]] = (
    ErrorRow(
        kind=_KIND.INVALID_KEY,
        code="400003",
        note="Each KuCoin site (global, EU, AU, ...) has its own keys: this one may belong to another site.",
        source="[KDOC] The API key does not exist or site mismatch",
    ),
    ErrorRow(
        kind=_KIND.WRONG_PASSPHRASE,
        code="400004",
        note="The secret signs the passphrase, so a wrong secret can show itself in this way too.",
        source="[KDOC] Invalid KC-API-PASSPHRASE",
    ),
    ErrorRow(kind=_KIND.BAD_SIGNATURE, code="400005", source="[KDOC] Invalid KC-API-SIGN"),
    ErrorRow(kind=_KIND.CLOCK_SKEW, code="400002", source="[KDOC] Invalid KC-API-TIMESTAMP"),
    ErrorRow(kind=_KIND.IP_NOT_ALLOWED, code="400006", source="[KDOC]; kucoin-api-docs#395"),
    ErrorRow(kind=_KIND.PERMISSION_DENIED, code="400007", source="[KDOC] require more permission"),
    ErrorRow(kind=_KIND.BAD_REQUEST, code="400001", source="[KDOC] a KC-API header is missing"),
    ErrorRow(kind=_KIND.ACCOUNT_RESTRICTED, code="411100", source="[KDOC] User are frozen"),
    ErrorRow(kind=_KIND.REGION_BLOCKED, code="400302", source="[KDOC] unavailable in the U.S."),
    ErrorRow(
        kind=_KIND.REGION_BLOCKED,
        code={"400700", "400200", "400500", "600004"},
        match=r"countr(?:y|ies)|region|area",
        source="[KDOC] risk and region",
    ),
    ErrorRow(
        kind=_KIND.ACCOUNT_RESTRICTED,
        code={"400700", "400200", "400500", "600004"},
        source="[KDOC] risk and region",
    ),
    ErrorRow(kind=_KIND.WRONG_ACCOUNT_MODE, code="112010", source="[CX] Invalid Unified Account user"),
    ErrorRow(kind=_KIND.ACCOUNT_RESTRICTED, code="400303", source="[KDOC] identity verification"),
    ErrorRow(kind=_KIND.BAD_REQUEST, code="400100", source="[KDOC] parameter error"),
    ErrorRow(kind=_KIND.MAINTENANCE, status=503, match=r"maintenance", source="assumed; no code is known"),
    ErrorRow(
        kind=_KIND.RATE_LIMITED,
        code="429000",
        retry_header="gw-ratelimit-reset",
        retry_unit=0.001,
        source="[KDOC] Too Many Requests; the header counts in ms and there is no Retry-After",
    ),
    ErrorRow(
        kind=_KIND.RATE_LIMITED,
        code="200002",
        match=r"too many requests",
        retry_after=10,
        source="[KDOC] a block of 10 s; the code alone has other meanings",
    ),
    ErrorRow(
        kind=_KIND.RATE_LIMITED,
        html=True,
        match=r"error 1015",
        retry_after=30,
        source="[KDOC] Cloudflare blocks an address for 30 s",
    ),
    ErrorRow(kind=_KIND.UNAVAILABLE, code="500000", source="[KDOC] Internal Server Error"),
)

#: After these the account may simply be a unified one, so the unified question is asked.
_MAYBE_UNIFIED: Final = frozenset(
    {
        _KIND.WRONG_ACCOUNT_MODE,
        _KIND.PERMISSION_DENIED,
        _KIND.ACCOUNT_RESTRICTED,
        _KIND.BAD_REQUEST,
        _KIND.UNEXPECTED_RESPONSE,
    }
)
_UTA_TRADE_TYPES: Final = {Market.SPOT: "SPOT", Market.MARGIN: "CROSS", Market.FUTURES: "FUTURES"}
_BALANCES: Final[Mapping[Market, tuple[Call, dict[str, Any]]]] = {
    Market.SPOT: (BALANCE, {}),
    Market.MARGIN: (MARGIN_BALANCE, {}),
    Market.FUTURES: (FUTURES_BALANCE, {"currency": "USDT"}),
}


class Kucoin(Exchange):
    """KuCoin. Everything is told but masked addresses, and the expiry only by the newer answer."""

    id = "kucoin"
    ccxt_id = "kucoin"
    name = "KuCoin"
    credentials = ("api_key", "secret", "passphrase")
    calls = (
        *(TIME, STATUS, MY_IP, KEY, KEY_UTA, BALANCE, ORDERS, MARGIN_BALANCE, MARGIN_ORDERS),
        *(FUTURES_BALANCE, FUTURES_ORDERS, UTA_BALANCE, UTA_ORDERS),
        *calls_of(LISTINGS),
    )
    time = TIME
    status = STATUS
    my_ip = MY_IP
    budget = Budget(units=450, seconds=10, burst=50, source="[KDOC] Cloudflare: 500 requests per 10 s and IP")
    attestable = frozenset({"ip_whitelist"})
    readable = Readable(
        transfer="yes; unknown beside trading on spot or futures",
        ip_list="yes, unless masked",
        expiry="where the newer field is sent",
    )
    key_page = "https://www.kucoin.com/account/api"
    wallets = frozenset(Market)
    listings = LISTINGS

    async def read_key(self, ask: Ask, market: Market) -> KeyReport:
        """The key's report; a unified account's answer adds what the classic one leaves out."""
        del market
        try:
            body = _key(KEY, await ask(KEY))
        except CallFailed as failed:
            if failed.failure.kind is not _KIND.WRONG_ACCOUNT_MODE:
                raise
            return _report(_key(KEY_UTA, await ask(KEY_UTA)))
        if "unified" in {word.casefold() for word in parse.words(body.get("permission")) or ()}:
            body = _joined(body, await _unified_key(ask))
        return _report(body)

    async def read_balance(self, ask: Ask, market: Market) -> Wallet | None:
        """The accounts of the market, or the unified account."""
        call, params = _BALANCES[market]
        asked, body = await _either(ask, (call, params), (UTA_BALANCE, {"accountMode": "unified"}))
        return _wallet(asked, parse.fields(body).get("data"))

    async def read_orders(self, ask: Ask, market: Market, pairs: tuple[str, ...]) -> None:
        """Open orders: of the first pair on spot and margin, where a symbol is required."""
        symbol = parse.pair(pairs[0] if pairs else "BTC/USDT", "-")
        classic: Mapping[Market, tuple[Call, dict[str, Any]]] = {
            Market.SPOT: (ORDERS, {"symbol": symbol}),
            Market.MARGIN: (MARGIN_ORDERS, {"symbol": symbol, "tradeType": "MARGIN_TRADE"}),
            Market.FUTURES: (FUTURES_ORDERS, {"status": "active"}),
        }
        unified = {"accountMode": "unified", "tradeType": _UTA_TRADE_TYPES[market]}
        await _either(ask, classic[market], (UTA_ORDERS, unified))

    def judge(self, answer: Answer) -> Failure | None:
        """``None`` only for HTTP 200 with code 200000: ccxt also matches words in a key's remark."""
        code = parse.said(answer.body, "code")
        if answer.status == HTTP_OK and code == "200000" and "data" in answer.body:
            return None
        return classify(
            ROWS,
            call=answer.call.name,
            status=answer.status,
            code=code,
            message=parse.said(answer.body, "msg", "message") or "",
            answer=answer,
        )

    def parse_time(self, body: Json) -> int:
        """``{"code": "200000", "data": 1546837113087}``. Source: [KDOC] Server Time."""
        told = parse.integer(parse.fields(body).get("data"))
        if told is None:
            raise ValueError("KuCoin told no time")
        return told

    def parse_status(self, body: Json) -> Health:
        """``open``; ``close`` and ``cancelonly`` are maintenance. Source: [KDOC] Service Status."""
        told = parse.fields(parse.fields(body).get("data")).get("status")
        known = {"open": Health.OPERATIONAL, "close": Health.MAINTENANCE, "cancelonly": Health.MAINTENANCE}
        return known.get(str(told), Health.UNKNOWN)

    def parse_my_ip(self, body: Json) -> str | None:
        """``{"code": "200000", "data": "203.0.113.10"}``. Source: [KDOC]."""
        seen = parse.whitelist(parse.fields(body).get("data")).addresses
        return seen[0] if seen and len(seen) == 1 else None


async def _either(
    ask: Ask, classic: tuple[Call, dict[str, Any]], unified: tuple[Call, dict[str, Any]]
) -> tuple[Call, Json]:
    """The answer to the classic question; when its failure may come from a unified account, to that one's."""
    try:
        return classic[0], await ask(*classic)
    except CallFailed as failed:
        if failed.failure.kind not in _MAYBE_UNIFIED:
            raise
        try:
            return unified[0], await ask(*unified)
        except CallFailed:
            raise failed from None


def _wallet(call: Call, data: Json) -> Wallet | None:
    """The accounts for trading, the margin account without its debts, the futures account of one currency."""
    if call is FUTURES_BALANCE:
        return only(data, currency="currency", part="accountEquity")
    if call is MARGIN_BALANCE:
        rows = parse.fields(data).get("accounts")
        assets, debts = (wallet(rows, currency="currency", parts=(part,)) for part in ("total", "liability"))
        if assets is None or debts is None:
            return None
        return Wallet(held={name: held - debts.held[name] for name, held in assets.held.items()})
    if call is UTA_BALANCE:
        return _unified_wallet(parse.fields(data).get("accounts"))
    if not isinstance(data, list):
        return None
    trading = [row for row in data if parse.fields(row).get("type") == "trade"]
    return wallet(trading, currency="currency", parts=("balance",))


def _unified_wallet(accounts: Json) -> Wallet | None:
    if not isinstance(accounts, list) or len(accounts) != 1:
        return None
    return wallet(parse.fields(accounts[0]).get("currencies"), currency="currency", parts=("equity",))


async def _unified_key(ask: Ask) -> Mapping[str, Json]:
    """The newer fields of a unified account's key, or nothing: the classic answer stands by itself."""
    try:
        return _key(KEY_UTA, await ask(KEY_UTA))
    except CallFailed:
        return {}


def _joined(classic: Mapping[str, Json], unified: Mapping[str, Json]) -> Mapping[str, Json]:
    """The classic answer with what only the unified one tells; every permission word of both."""
    told = [parse.words(body.get("permission")) for body in (classic, unified) if "permission" in body]
    listed = None if None in told else [word for each in told for word in each or ()]
    return {**unified, **{k: v for k, v in classic.items() if v is not None}, "permission": listed}


def _key(call: Call, body: Json) -> Mapping[str, Json]:
    data = parse.fields(parse.fields(body).get("data"))
    if not _REQUIRED & set(data):
        raise unexpected(call.name, "KuCoin described no key")
    return data


def _report(body: Mapping[str, Json]) -> KeyReport:
    permissions, unknown = _permissions(body)
    master = parse.flag(body.get("isMaster"))
    return KeyReport(
        permissions=permissions,
        ip_whitelist=parse.whitelist(body.get("ipWhitelist"), null=False),
        account=Account(
            uid=parse.uid(body.get("uid")),
            is_sub=None if master is None else not master,
            parent_uid=parse.uid(body.get("parentUid")),
        ),
        label=parse.text(body.get("remark")),
        created_at=parse.moment(body.get("createdAt")),
        expires_at=parse.moment(body.get("expiredAt")),
        unknown_words=unknown,
    )


def _permissions(body: Mapping[str, Json]) -> tuple[Permissions, tuple[str, ...]]:
    strange = parse.strange_rights(body, _FIELDS)
    listed = parse.words(body.get("permission"))
    if not listed:  # every key has General, so an empty list is no denial
        return Permissions(), strange
    return parse.granted((*listed, *strange), WORDS, perhaps=PERHAPS)


EXCHANGE: Final = Kucoin()
