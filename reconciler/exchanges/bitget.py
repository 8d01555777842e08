"""Bitget, classic and unified accounts: what each tells of a key, its proofs, its errors.

Which of its two APIs a key speaks is the account's matter: the wrong one answers 40084 or 40085.
The unified one is asked first, for it wants no permission.

Sources, as named in the rows: [V2] www.bitget.com/api-doc/spot, /contract, /margin (classic), [UTA]
www.bitget.com/api-doc/uta, [FAQ] www.bitget.com/api-doc/common/faq, [JK] JKorf/Bitget.Net
``BitgetRestClientSpotApi.cs``, [HUB] BitgetLimited/agent_hub ``mcp-smoke-report.full.json`` (real
bodies), [HB] hummingbot ``bitget_perpetual_constants.py``, [CX] ccxt 4.5.90 ``bitget.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from reconciler.exchanges import parse
from reconciler.exchanges.errors import HTTP_OK, ErrorRow, classify, unexpected
from reconciler.exchanges.interface import Answer, Ask, Budget, Call, Exchange, Json, Readable
from reconciler.exchanges.listings import BITGET as LISTINGS
from reconciler.exchanges.listings import calls_of
from reconciler.exchanges.wallet import wallet
from reconciler.model.desired import Market
from reconciler.model.live import (
    Account,
    CallFailed,
    Failure,
    FailureKind,
    KeyReport,
    Permission,
    Permissions,
    Wallet,
)


def _private(name: str, path: str, implicit: str, *, source: str) -> Call:
    return Call(name=name, path=f"/api/{path}", implicit=implicit, source=source)


TIME: Final = Call(
    name="time",
    path="/api/v2/public/time",
    implicit="publicCommonGetV2PublicTime",
    public=True,
    source="[V2] Get Server Time",
)
KEY: Final = _private(
    "key", "v2/spot/account/info", "privateSpotGetV2SpotAccountInfo", source="[V2] needs spot reading"
)
KEY_UTA: Final = _private(
    "key-uta", "v3/account/info", "privateUtaGetV3AccountInfo", source="[UTA] No permission required"
)
BALANCE: Final = _private(
    "balance", "v2/spot/account/assets", "privateSpotGetV2SpotAccountAssets", source="[V2]"
)
ORDERS: Final = _private(
    "orders", "v2/spot/trade/unfilled-orders", "privateSpotGetV2SpotTradeUnfilledOrders", source="[V2]"
)
MARGIN_BALANCE: Final = _private(
    "balance-margin",
    "v2/margin/crossed/account/assets",
    "privateMarginGetV2MarginCrossedAccountAssets",
    source="[V2] margin",
)
MARGIN_ORDERS: Final = _private(
    "orders-margin",
    "v2/margin/crossed/open-orders",
    "privateMarginGetV2MarginCrossedOpenOrders",
    source="[V2] margin",
)
FUTURES_BALANCE: Final = _private(
    "balance-futures", "v2/mix/account/accounts", "privateMixGetV2MixAccountAccounts", source="[V2] contract"
)
FUTURES_ORDERS: Final = _private(
    "orders-futures",
    "v2/mix/order/orders-pending",
    "privateMixGetV2MixOrderOrdersPending",
    source="[V2] contract",
)
UTA_BALANCE: Final = _private(
    "balance-uta", "v3/account/assets", "privateUtaGetV3AccountAssets", source="[UTA] needs UTA mgt. (read)"
)
UTA_ORDERS: Final = _private(
    "orders-uta", "v3/trade/unfilled-orders", "privateUtaGetV3TradeUnfilledOrders", source="[UTA]"
)

_P = Permission
_Words = Mapping[str, tuple[Permission, ...]]
#: A classic key's words: four letters, of which the last says read or write. [V2] Get Account Information
WORDS: Final[_Words] = {
    **dict.fromkeys(("coor", "cpor", "cpow", "stor", "smor", "wtor"), (_P.READ,)),
    "coow": (_P.READ, _P.FUTURES),
    "stow": (_P.READ, _P.SPOT),
    "smow": (_P.READ, _P.MARGIN),
    "wtow": (_P.READ, _P.TRANSFER),
    "wwow": (_P.WITHDRAW,),
    **dict.fromkeys(("ttor", "ttow", "taxr", "taxw", "chor", "chow", "pllr", "pllw"), ()),
    **dict.fromkeys(("p2pr", "p2p", "p2pw"), ()),
    # Two words of an older vocabulary, which the example still shows and nothing explains.
    "readonly": (_P.READ,),
    "trade": (),
}
#: What a word may grant besides, for nothing says how far it reaches. A P2P sale ends in coins released
#: to a stranger. Beside an old word, the absence of a new one denies nothing.
PERHAPS: Final[_Words] = {
    "cpow": (_P.FUTURES,),
    "ttow": (_P.SPOT, _P.FUTURES),
    "chow": (_P.TRANSFER, _P.WITHDRAW),  # it makes keys for sub-accounts, with any right
    **dict.fromkeys(("p2p", "p2pw"), (_P.WITHDRAW,)),
    **dict.fromkeys(("readonly", "trade"), tuple(Permission)),
}
#: A unified key's words, which do not tell markets apart. [UTA] Get Account Info
UTA_WORDS: Final[_Words] = {
    "uta_mgt": (_P.READ, _P.TRANSFER),  # [UTA] Transfer: needs UTA mgt. (read & write)
    "uta_trade": (_P.READ, _P.SPOT, _P.MARGIN, _P.FUTURES),
    "withdraw": (_P.WITHDRAW,),
    "transfer": (_P.TRANSFER,),
    **dict.fromkeys(("copy_futures_position", "copy_futures_order"), ()),
}
UTA_PERHAPS: Final[_Words] = {
    "copy_futures_order": (_P.FUTURES, _P.TRANSFER),
}
_UTA_ONLY: Final = frozenset({"uta_mgt", "uta_trade"})
#: ``permType`` without its joints -> whether the key only reads. [UTA]; the sub-account API spells
#: ``read_only`` and ``read_write``.
_READ_ONLY: Final = {"readonly": True, "readandwrite": False, "readwrite": False}
_FIELDS: Final = frozenset(
    {"userId", "uid", "inviterId", "ips", "authorities", "parentId", "traderType", "channelCode"}
    | {"channel", "regisTime", "permType", "permissions"}
)
_REQUIRED: Final = frozenset({"userId", "uid", "authorities", "permissions", "permType"})

_KIND = FailureKind
ROWS: Final[tuple[ErrorRow, ...]] = (
    ErrorRow(
        kind=_KIND.INVALID_KEY,
        code={"40006", "40037", "40041"},
        note="A key of demo trading can be unknown here too.",
        source="[V2] Invalid ACCESS_KEY, Apikey does not exist; [JK]",
    ),
    ErrorRow(kind=_KIND.BAD_SIGNATURE, code="40009", source="[V2] sign signature error"),
    ErrorRow(kind=_KIND.BAD_SIGNATURE, code="40010", match=r"sign", source="[CX] takes it for that"),
    ErrorRow(kind=_KIND.UNAVAILABLE, code={"40010", "40910"}, source="[JK] Request timed out"),
    ErrorRow(
        kind=_KIND.AMBIGUOUS_AUTH,
        code="40012",
        candidates=(_KIND.WRONG_PASSPHRASE, _KIND.INVALID_KEY),
        note="Bitget does not say whether key or passphrase is wrong.",
        source="[V2] apikey/password is incorrect",
    ),
    ErrorRow(kind=_KIND.WRONG_PASSPHRASE, code="40036", source="[JK] Passphrase error"),
    ErrorRow(kind=_KIND.MISSING_PASSPHRASE, code="40011", source="[V2] cannot be empty"),
    ErrorRow(kind=_KIND.MISSING_PASSPHRASE, code="400172", match=r"passphrase|password", source="[CX]; [JK]"),
    ErrorRow(
        kind=_KIND.PERMISSION_DENIED,
        code={"40014", "40040"},
        source="[HUB] Incorrect permissions, need .. (it names the missing right)",
    ),
    ErrorRow(
        kind=_KIND.IP_NOT_ALLOWED,
        code={"40018", "40038", "49003"},
        source="[HUB] Invalid IP,Current request IP ..; [JK]",
    ),
    ErrorRow(
        kind=_KIND.PERMISSION_DENIED,
        code="22010",
        note="This request asks for a key that is bound to addresses.",
        source="[UTA] error codes: Please bind ip whitelist address",
    ),
    ErrorRow(
        kind=_KIND.CLOCK_SKEW,
        code={"40004", "40005", "40008", "40078", "40911"},
        source="[V2] Request timestamp expired; [JK]",
    ),
    ErrorRow(
        kind=_KIND.WRONG_ENVIRONMENT,
        code="40099",
        note="Keys of demo trading and of live trading do not work in each other's place.",
        source="[V2] exchange environment is incorrect",
    ),
    ErrorRow(
        kind=_KIND.WRONG_ACCOUNT_MODE,
        code={"40084", "40085"},
        source="[HB] You are in Classic Account mode ..; [CX] You are in Unified Account mode ..",
    ),
    ErrorRow(
        kind=_KIND.REGION_BLOCKED,
        code={"40000", "40024", "40103", "40104", "59006"},
        match=r"region|countr(?:y|ies)|area|location",
        source="[JK] Unauthorized because of region; [CX] 40024",
    ),
    ErrorRow(
        kind=_KIND.ACCOUNT_RESTRICTED,
        code={"40013", "40016", "40022", "40023", "40024", "40025", "40026", "40027", "40031", "40035"}
        | {"40111", "40301", "40710", "40916"},
        source="[JK] restricted, frozen, disabled, identity or 2FA required; [CX]",
    ),
    ErrorRow(kind=_KIND.RATE_LIMITED, code="429", source="[V2] Too many requests, HTTP 429"),
    ErrorRow(kind=_KIND.MAINTENANCE, code={"40200", "40308"}, source="[V2] Server upgrade; [CX]"),
    ErrorRow(
        kind=_KIND.BAD_REQUEST,
        code="40808",
        match=r"verification exception\s+\S|parameter \S+ verif",
        source="[CX] Parameter verification exception size ..; without a name it is the release's",
    ),
    ErrorRow(
        kind=_KIND.UNAVAILABLE,
        code={"40015", "40604", "40725", "40808", "45001"},
        source="[FAQ] Q14: releases, Tuesdays and Thursdays 14:00 to 18:00 (UTC+8); users can retry",
    ),
    ErrorRow(
        kind=_KIND.BAD_REQUEST,
        code={"400", "404", "405", "40001", "40002", "40003", "40007", "40017", "40019", "40020", "40034"}
        | {"40404", "400171", "400172"},
        source="[V2]; [CX]: a header or a parameter, or the path",
    ),
)

#: After these the account may be of the other mode.
_OTHER_MODE: Final = frozenset(
    {_KIND.WRONG_ACCOUNT_MODE, _KIND.PERMISSION_DENIED, _KIND.BAD_REQUEST, _KIND.UNEXPECTED_RESPONSE}
)
_Question = tuple[Call, dict[str, Any]]
#: Cross margin wants a start. [CX] asks for 90 days, the longest that is answered.
_LOOK_BACK: Final = timedelta(days=89)
_SETTLES: Final = {"USDT": "USDT-FUTURES", "USDC": "USDC-FUTURES"}


class Bitget(Exchange):
    """Bitget. Permissions, addresses and account are told; label, creation and expiry are not."""

    id = "bitget"
    ccxt_id = "bitget"
    name = "Bitget"
    credentials = ("api_key", "secret", "passphrase")
    calls = (
        *(TIME, KEY, KEY_UTA, BALANCE, ORDERS, MARGIN_BALANCE, MARGIN_ORDERS),
        *(FUTURES_BALANCE, FUTURES_ORDERS, UTA_BALANCE, UTA_ORDERS),
        *calls_of(LISTINGS),
    )
    time = TIME
    budget = Budget(
        units=3000, seconds=60, burst=20, source="[FAQ] 6,000 requests per minute and IP; half of it"
    )
    attestable = frozenset({"withdraw_disabled"})
    readable = Readable(
        futures="yes on classic accounts; unified ones know one right to trade",
        withdraw="yes; unknown beside P2P or sub-account rights",
        transfer="yes; part of managing a unified account",
        expiry="no",
        label="no",
        created="no",
    )
    key_page = "https://www.bitget.com/account/newapi"
    wallets = frozenset(Market)
    listings = LISTINGS

    async def read_key(self, ask: Ask, market: Market) -> KeyReport:
        """The key's report from the API of its account's mode."""
        del market
        call, body = await _either(ask, (KEY_UTA, {}), (KEY, {}))
        told = _described(call, body)
        if call is KEY_UTA and _UTA_ONLY.isdisjoint(parse.words(told.get("permissions")) or ()):
            told = await _joined(ask, told)
        return _report(told)

    async def read_balance(self, ask: Ask, market: Market) -> Wallet | None:
        """The unified account's assets, or those of the classic account of the market."""
        classic: Mapping[Market, _Question] = {
            Market.SPOT: (BALANCE, {}),
            Market.MARGIN: (MARGIN_BALANCE, {}),
            Market.FUTURES: (FUTURES_BALANCE, {"productType": "USDT-FUTURES"}),
        }
        call, body = await _either(ask, (UTA_BALANCE, {}), classic[market])
        data = parse.fields(body).get("data")
        if call is UTA_BALANCE:
            return wallet(parse.fields(data).get("assets"), currency="coin", parts=("balance",))
        if call is FUTURES_BALANCE:  # of the contracts that settle in USDT alone
            return wallet(data, currency="marginCoin", parts=("accountEquity",), whole=False)
        parts = ("net",) if call is MARGIN_BALANCE else ("available", "frozen", "locked")
        return wallet(data, currency="coin", parts=parts)

    async def read_orders(self, ask: Ask, market: Market, pairs: tuple[str, ...]) -> None:
        """Open orders; on margin of the first pair, which is required there."""
        first = pairs[0] if pairs else "BTC/USDT"
        since = int((ask.now() - _LOOK_BACK).timestamp() * 1000)
        product = _SETTLES.get(first.partition(":")[2].split("-", 1)[0] or "USDT", "COIN-FUTURES")
        classic: Mapping[Market, _Question] = {
            Market.SPOT: (ORDERS, {}),
            Market.MARGIN: (MARGIN_ORDERS, {"symbol": parse.pair(first, ""), "startTime": since}),
            Market.FUTURES: (FUTURES_ORDERS, {"productType": product}),
        }
        category = {Market.SPOT: "SPOT", Market.MARGIN: "MARGIN", Market.FUTURES: product}[market]
        await _either(ask, (UTA_ORDERS, {"category": category}), classic[market])

    def judge(self, answer: Answer) -> Failure | None:
        """``None`` only for HTTP 200 with the text ``"00000"`` as code, and data."""
        body = parse.fields(answer.body)
        if answer.status == HTTP_OK and body.get("code") == "00000" and "data" in body:
            return None
        return classify(
            ROWS,
            call=answer.call.name,
            status=answer.status,
            code=parse.said(body, "code", "err_code"),
            message=parse.said(body, "msg", "err_msg", "message") or "",
            answer=answer,
        )

    def parse_time(self, body: Json) -> int:
        """``{"code": "00000", "data": {"serverTime": "1688008631614"}}``. Source: [V2] Get Server Time."""
        told = parse.integer(parse.fields(parse.fields(body).get("data")).get("serverTime"))
        if told is None:
            raise ValueError("Bitget told no serverTime")
        return told


async def _joined(ask: Ask, unified: Mapping[str, Json]) -> Mapping[str, Json]:
    """Both answers, where the unified one names no right of a unified account: it may be a classic one.

    Unless the classic API says that the account is unified, the unified answer alone denies nothing:
    the list of classic words is then an empty one.
    """
    try:
        return {**unified, "authorities": [], **_described(KEY, await ask(KEY))}
    except CallFailed as failed:
        is_unified = failed.failure.kind is _KIND.WRONG_ACCOUNT_MODE
        return unified if is_unified else {**unified, "authorities": []}


async def _either(ask: Ask, unified: _Question, classic: _Question) -> tuple[Call, Json]:
    """The answer to the unified question; where it failed for what may be the mode, to the classic one."""
    try:
        return unified[0], await ask(*unified)
    except CallFailed as first:
        if first.failure.kind not in _OTHER_MODE:
            raise
        try:
            return classic[0], await ask(*classic)
        except CallFailed as second:
            other_mode = first.failure.kind is _KIND.WRONG_ACCOUNT_MODE
            raise (second if other_mode else first) from None


def _described(call: Call, body: Json) -> Mapping[str, Json]:
    data = parse.fields(parse.fields(body).get("data"))
    if _REQUIRED.isdisjoint(data):
        raise unexpected(call.name, "Bitget described no key")
    return data


def _report(body: Mapping[str, Json]) -> KeyReport:
    permissions, unknown = _permissions(body)
    return KeyReport(
        permissions=permissions,
        ip_whitelist=parse.whitelist(body.get("ips")),
        account=_account(body),
        unknown_words=unknown,
    )


def _account(body: Mapping[str, Json]) -> Account:
    """Whose key it is: a main account is its own parent (classic) or has none (unified)."""
    uid = parse.uid(body.get("userId")) or parse.uid(body.get("uid"))
    told = body.get("parentId")
    parent = parse.uid(told)
    if parent is None or uid is None:
        return Account(uid=uid, is_sub=False if told == "" and "permType" in body else None)
    return Account(uid=uid, is_sub=parent != uid, parent_uid=parent if parent != uid else None)


def _permissions(body: Mapping[str, Json]) -> tuple[Permissions, tuple[str, ...]]:
    """What the words of both vocabularies grant; a unified key's ``permType`` overrides its own."""
    strange = parse.strange_rights(body, _FIELDS)
    strange = tuple(name for name in strange if parse.flag(body[name]) is not False)
    lists = [parse.words(body[name]) for name in ("authorities", "permissions") if name in body]
    listed = tuple(word for each in lists for word in each or ())
    if not listed:  # an empty list is no denial
        return Permissions(), strange
    known, perhaps = _vocabulary(body)
    if None in lists or not lists[0]:  # nor is it one beside words of the other vocabulary
        perhaps = dict.fromkeys(known, tuple(Permission))
    permissions, unknown = parse.granted((*listed, *strange), known, perhaps=perhaps)
    return _limited(permissions, body, overrides=not strange and "authorities" not in body), unknown


def _vocabulary(body: Mapping[str, Json]) -> tuple[_Words, _Words]:
    """The words that the answer may hold: unified ones, unless it is a classic account's alone."""
    if "authorities" not in body:
        return UTA_WORDS, UTA_PERHAPS
    if "permissions" not in body:
        return WORDS, PERHAPS
    return {**WORDS, **UTA_WORDS}, {**PERHAPS, **UTA_PERHAPS}


def _limited(permissions: Permissions, body: Mapping[str, Json], *, overrides: bool) -> Permissions:
    """The permissions after ``permType``: read-only denies all but reading, an unknown type grants none."""
    values = {str(name): value for name, value in permissions.items()}
    values["read"] = permissions.read or None  # the words do not tell who may not read
    if "permType" in body and not body.get("authorities"):
        kind = str(body["permType"]).strip().casefold().translate(_JOINTS)
        read_only = _READ_ONLY.get(kind)
        for name in values.keys() - {"read"}:
            if read_only and overrides:
                values[name] = False
            elif read_only is not False:
                values[name] = False if values[name] is False else None
    return Permissions(**values)


_JOINTS: Final = str.maketrans("", "", "-_ ")
EXCHANGE: Final = Bitget()
