"""BingX: what it tells of a key, its proofs, its errors.

Sources, as named in the rows: [BX] bingx-api.github.io/docs and docs-v3, account and wallet (pages by
their titles); [SK] BingX's api-ai-skills, ``references`` (2026-04); [PAGE] bingx.com/en/account/api;
[CX] ccxt 4.5.90 ``bingx.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from reconciler.exchanges import parse
from reconciler.exchanges.errors import HTTP_OK, ErrorRow, classify
from reconciler.exchanges.interface import Answer, Ask, Budget, Call, Exchange, Json, Readable
from reconciler.exchanges.listings import BINGX as LISTINGS
from reconciler.exchanges.listings import calls_of
from reconciler.exchanges.wallet import wallet
from reconciler.model.desired import Market
from reconciler.model.live import (
    Account,
    CallFailed,
    Failure,
    FailureKind,
    IpWhitelist,
    KeyReport,
    Permission,
    Permissions,
    Wallet,
)

TIME: Final = Call(
    name="time",
    path="/openApi/swap/v2/server/time",
    implicit="swapV2PublicGetServerTime",
    public=True,
    source="[BX] Get Server Time",
)
KEY: Final = Call(
    name="key",
    path="/openApi/v1/account/apiPermissions",
    implicit="accountV1PrivateGetAccountApiPermissions",
    source="[BX] Query user API Key permissions",
)
UID: Final = Call(
    name="uid",
    path="/openApi/account/v1/uid",
    implicit="accountV1PrivateGetUid",
    source="[BX] Query account uid",
)
DETAILS: Final = Call(
    name="key-details",
    path="/openApi/account/v1/apiKey/query",
    implicit="accountV1PrivateGetApiKeyQuery",
    source="[BX] Query the API Key of a sub-account: of its own too, for main accounts",
)
RESTRICTIONS: Final = Call(
    name="key-restrictions",
    path="/openApi/v1/account/apiRestrictions",
    implicit="accountV1PrivateGetAccountApiRestrictions",
    source="[SK] Query API Key Restrictions",
)
BALANCE: Final = Call(
    name="balance",
    path="/openApi/spot/v1/account/balance",
    implicit="spotV1PrivateGetAccountBalance",
    source="[BX] Query Assets",
)
ORDERS: Final = Call(
    name="orders",
    path="/openApi/spot/v1/trade/openOrders",
    implicit="spotV1PrivateGetTradeOpenOrders",
    source="[BX] Current Open Orders; the symbol is optional",
)
FUTURES_BALANCE: Final = Call(
    name="balance-futures",
    path="/openApi/swap/v3/user/balance",
    implicit="swapV3PrivateGetUserBalance",
    source="[BX] Query account data",
)
FUTURES_ORDERS: Final = Call(
    name="orders-futures",
    path="/openApi/swap/v2/trade/openOrders",
    implicit="swapV2PrivateGetTradeOpenOrders",
    source="[BX] Current All Open Orders",
)

_P = Permission
#: Number of a right -> what it grants. 6 stands in BingX's examples, explained nowhere, and stays
#: unknown here. [BX] Query user API Key permissions
WORDS: Final[Mapping[str, tuple[Permission, ...]]] = {
    "1": (_P.SPOT,),
    "2": (_P.READ,),
    "3": (_P.FUTURES,),
    "4": (_P.TRANSFER,),
    "5": (_P.WITHDRAW,),
    "7": (_P.TRANSFER,),
}
#: Flag -> what it grants, in the answer's newer form. [SK] Query API Key Permissions
FLAGS: Final[Mapping[str, tuple[Permission, ...]]] = {
    "enableReading": (_P.READ,),
    "enableSpotAndMarginTrading": (_P.SPOT,),
    "enableFutures": (_P.FUTURES,),
    "enableVanillaOptions": (_P.OPTIONS,),
    "permitsUniversalTransfer": (_P.TRANSFER,),
    "enableInternalTransfer": (_P.TRANSFER,),
    "enableWithdrawals": (_P.WITHDRAW,),
}
#: What a number or a flag may grant besides. A transfer by 7 names its receiver by uid, telephone or
#: e-mail, and nothing says that it must be the same owner's. [BX] Sub-account internal transfer
PERHAPS: Final[Mapping[str, tuple[Permission, ...]]] = {
    **dict.fromkeys(("1", "enableSpotAndMarginTrading"), (_P.MARGIN,)),
    **dict.fromkeys(("7", "enableInternalTransfer"), (_P.WITHDRAW,)),
}
_FIELDS: Final = frozenset({"apiKey", "permissions", "ipAddresses", "note", "status", *FLAGS}) | frozenset(
    {"ipRestrict", "createTime", "updateTime", "code", "msg", "timestamp", "success", "debugMsg"}
)
#: A body describes a key when it holds one of these.
_TELLS: Final = frozenset({"permissions", "ipAddresses", "ipRestrict", *FLAGS})

#: An unbound key with more than reading is deleted after so many days without any call. Each call
#: begins them anew, so no date follows from it. [PAGE] 5
IDLE_DAYS: Final = 14

_KIND = FailureKind
_CODES: Final = "[BX] Common Error Codes"
_UNTIL: Final = r"(?:unblocked after|retry after time:?) *(?P<until_ms>\d{13})"
_TIME: Final = r"timestamp"
#: Codes that also mean other things: only with a word about the time are they about the clock.
_TIMELY: Final = frozenset({"100421", "80014", "109400", "100400"})
ROWS: Final[tuple[ErrorRow, ...]] = (
    ErrorRow(kind=_KIND.INVALID_KEY, code="100413", source=f"{_CODES} Incorrect apiKey"),
    ErrorRow(kind=_KIND.BAD_SIGNATURE, code="100001", source=f"{_CODES} signature verification failed"),
    ErrorRow(kind=_KIND.BAD_REQUEST, code="100412", source=f"{_CODES} Null signature: none was sent"),
    ErrorRow(
        kind=_KIND.UNAVAILABLE,
        match=r"system is (?:currently )?busy",
        html=False,
        source=f"{_CODES}: under 100202, 100400 and 100421 too; [CX] under 100410",
    ),
    ErrorRow(
        kind=_KIND.CLOCK_SKEW,
        code=_TIMELY,
        match=_TIME,
        source=f"{_CODES} 100421 Null timestamp or timestamp mismatch, 80014 timestamp is invalid",
    ),
    ErrorRow(
        kind=_KIND.BAD_REQUEST,
        code=_TIMELY,
        source=f"{_CODES}: arguments; [CX] 100421 This pair is currently restricted from API trading",
    ),
    ErrorRow(kind=_KIND.IP_NOT_ALLOWED, code="100419", source=f"{_CODES} IP does not match IP whitelist"),
    ErrorRow(
        kind=_KIND.PERMISSION_DENIED,
        code="100004",
        source=f"{_CODES} the API key was created without the permission",
    ),
    ErrorRow(
        kind=_KIND.PERMISSION_DENIED,
        code={"100403", "403"},
        source="[BX] Get sub-account list: for main accounts alone; HTTP 403 Forbidden",
    ),
    ErrorRow(
        kind=_KIND.RATE_LIMITED,
        code="100410",
        match=_UNTIL,
        source="[BX] Query user API Key permissions, errors: the end of the block in ms",
    ),
    ErrorRow(
        kind=_KIND.RATE_LIMITED,
        code={"100410", "109429", "429", "418"},
        source=f"{_CODES} and [BX] Rate limit: a block ends by itself after 5 minutes",
    ),
    ErrorRow(kind=_KIND.ACCOUNT_RESTRICTED, code="100414", source="[CX] risk control check fail"),
    ErrorRow(
        kind=_KIND.AMBIGUOUS_AUTH,
        code={"100401", "401"},
        candidates=(_KIND.INVALID_KEY, _KIND.BAD_SIGNATURE, _KIND.IP_NOT_ALLOWED),
        source=f"{_CODES} 401 Unauthorized; 100401 is explained nowhere",
    ),
    ErrorRow(kind=_KIND.MAINTENANCE, match=r"maintenance", html=False, source="assumed; no code is known"),
    ErrorRow(
        kind=_KIND.UNAVAILABLE,
        code={"100500", "100503", "109500", "110500", "500", "504"},
        source=f"{_CODES} Internal system error; [CX] order system busy",
    ),
    ErrorRow(
        kind=_KIND.UNAVAILABLE,
        code={"80012", "80001"},
        match=r"service unavailable|network failed|connection",
        source=f"{_CODES} 80012, 80001: among other things",
    ),
)


class Bingx(Exchange):
    """BingX. Neither expiry nor main account is told; what 6 in a key's list of rights means neither."""

    id = "bingx"
    ccxt_id = "bingx"
    name = "BingX"
    calls = (
        TIME,
        KEY,
        UID,
        DETAILS,
        RESTRICTIONS,
        BALANCE,
        ORDERS,
        FUTURES_BALANCE,
        FUTURES_ORDERS,
        *calls_of(LISTINGS),
    )
    time = TIME
    budget = Budget(
        units=300,
        seconds=10,
        burst=20,
        source="[BX] Rate limit: of group 2, 300 requests per 10 s, IP and endpoint; here for all together",
    )
    attestable = frozenset({"withdraw_disabled"})
    readable = Readable(
        withdraw="yes; unknown beside internal transfers of sub-accounts",
        expiry=f"no; an unbound key that may trade or transfer is deleted after {IDLE_DAYS} idle days",
        sub_account="no",
    )
    key_page = "https://bingx.com/en/account/api"
    wallets = frozenset({Market.SPOT, Market.FUTURES})
    listings = LISTINGS

    async def read_key(self, ask: Ask, market: Market) -> KeyReport:
        """The key's report from ``apiPermissions``, with uid and creation time from where they are told."""
        del market
        body = _described(await ask(KEY))
        uid = parse.uid((await _extra(ask, UID)).get("uid"))
        permissions, unknown = _permissions(body)
        return KeyReport(
            permissions=permissions,
            ip_whitelist=_whitelist(body),
            account=Account(uid=uid),
            label=parse.text(body.get("note")),
            created_at=parse.moment(body.get("createTime")) or parse.moment(await _created(ask, uid)),
            unknown_words=unknown,
        )

    async def read_balance(self, ask: Ask, market: Market) -> Wallet | None:
        """The spot account, or that of USDT and USDC futures; BingX has no API for margin."""
        if market is Market.FUTURES:
            rows = parse.fields(await ask(FUTURES_BALANCE)).get("data")
            return wallet(rows, currency="asset", parts=("balance",), whole=False)
        data = parse.fields(parse.fields(await ask(BALANCE)).get("data"))
        return wallet(data.get("balances"), currency="asset", parts=("free", "locked"))

    async def read_orders(self, ask: Ask, market: Market, pairs: tuple[str, ...]) -> None:
        """Open orders of every pair."""
        del pairs
        await ask(FUTURES_ORDERS if market is Market.FUTURES else ORDERS)

    def judge(self, answer: Answer) -> Failure | None:
        """``None`` for HTTP 200 with code 0 and data, or for the bare answers that describe a key."""
        body = parse.fields(answer.body)
        if answer.status == HTTP_OK and _succeeded(answer.call, body):
            return None
        return classify(
            ROWS,
            call=answer.call.name,
            status=answer.status,
            code=parse.said(body, "code"),
            message=parse.said(body, "msg", "message") or "",
            answer=answer,
        )

    def parse_time(self, body: Json) -> int:
        """``{"code": 0, "data": {"serverTime": 1688639403423}}``. Source: [BX] Get Server Time."""
        told = parse.integer(_described(body).get("serverTime"))
        if told is None:
            raise ValueError("BingX told no time")
        return told


def _succeeded(call: Call, body: Mapping[str, Json]) -> bool:
    if parse.flag(body.get("success")) is False:
        return False
    marked = parse.said(body, "code") == "0"
    if call in (KEY, RESTRICTIONS):  # documented with an envelope and without
        return (marked or "code" not in body) and not _TELLS.isdisjoint(_described(body))
    return marked and isinstance(body.get("data"), dict | list)


def _described(body: Json) -> Mapping[str, Json]:
    """What an answer is about: its ``data``, or itself where it came without an envelope."""
    whole = parse.fields(body)
    return parse.fields(whole["data"]) if "data" in whole else whole


async def _extra(ask: Ask, call: Call, params: Mapping[str, Any] | None = None) -> Mapping[str, Json]:
    """What one more call tells, or nothing: the key itself has been read."""
    try:
        return _described(await ask(call, params))
    except CallFailed:
        return {}


async def _created(ask: Ask, uid: str | None) -> Json:
    """When the key was made: from the account's list of keys, which a sub-account may not read."""
    told = await _extra(ask, DETAILS, {"uid": uid}) if uid is not None else {}
    listed = told.get("apiInfos", told.get("apiKeyList"))
    keys = [parse.fields(each) for each in listed] if isinstance(listed, list) else []
    # Keys are printed with two characters at either end: two of an account can look alike.
    own = [each for each in keys if ask.owns(parse.text(each.get("apiKey")) or "")]
    if len(own) == 1 and parse.moment(own[0].get("createTime")):
        return own[0]["createTime"]
    return (await _extra(ask, RESTRICTIONS)).get("createTime")


def _permissions(body: Mapping[str, Json]) -> tuple[Permissions, tuple[str, ...]]:
    """What numbers and flags grant, joined, and what nobody knows."""
    strange = parse.strange_rights(body, _FIELDS)
    strange = tuple(name for name in strange if parse.flag(body[name]) is not False)
    readings: list[Mapping[Permission, bool | None]] = []
    if "permissions" in body:
        numbers = _numbers(body["permissions"])
        strange = (*(number for number in numbers if number not in WORDS), *strange)
        readings.append(_by_number(numbers))
    if not FLAGS.keys().isdisjoint(body):
        readings.append(_by_flag(body))
    values = {
        str(p): _joined([reading[p] for reading in readings if p in reading], bool(strange))
        for p in Permission
    }
    return Permissions(**values), strange


def _joined(values: list[bool | None], doubt: bool) -> bool | None:
    """True wins, then unknown; False is what every reading denies."""
    if True in values:
        return True
    return None if doubt or not values or None in values else False


def _numbers(value: Json) -> tuple[str, ...]:
    """The numbers of a list, given as numbers or as text; none for any other shape."""
    listed = value.split(",") if isinstance(value, str) else value
    if not isinstance(listed, list):
        return ()
    told = [str(one).strip() if isinstance(one, str | int) else None for one in listed]
    return tuple(dict.fromkeys(one for one in told if one)) if None not in told else ()


def _by_number(numbers: tuple[str, ...]) -> Mapping[Permission, bool | None]:
    """What the numbers tell of the rights that they have a number for, which options are not among.

    An empty list denies nothing, for a key without reading could not have asked for it.
    """
    spoken = _meant(WORDS, WORDS) | _meant(PERHAPS, WORDS)
    if not numbers:
        return dict.fromkeys(spoken)
    given, perhaps = _meant(WORDS, numbers), _meant(PERHAPS, numbers) | {_P.READ}
    return {p: True if p in given else None if p in perhaps else False for p in spoken}


def _by_flag(body: Mapping[str, Json]) -> Mapping[Permission, bool | None]:
    """A flag that is absent or no flag leaves open what it could grant."""
    on = [name for name in FLAGS if parse.flag(body.get(name))]
    unclear = [name for name in FLAGS if parse.flag(body.get(name)) is None]
    given = _meant(FLAGS, on)
    perhaps = _meant(PERHAPS, on) | _meant(FLAGS, unclear) | _meant(PERHAPS, unclear)
    return {p: True if p in given else None if p in perhaps else False for p in Permission}


def _meant(table: Mapping[str, tuple[Permission, ...]], names: Iterable[str]) -> frozenset[Permission]:
    return frozenset(permission for name in names for permission in table.get(name, ()))


def _whitelist(body: Mapping[str, Json]) -> IpWhitelist:
    """The list ``ipAddresses``, or only whether there is one; unknown where both are told and differ."""
    flag = parse.flag(body.get("ipRestrict"))
    if "ipAddresses" not in body:
        return IpWhitelist(restricted=flag, addresses=() if flag is False else None)
    listed = parse.whitelist(body["ipAddresses"])
    return IpWhitelist() if flag is not None and flag is not listed.restricted else listed


EXCHANGE: Final = Bingx()
