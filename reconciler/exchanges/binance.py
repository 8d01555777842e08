"""Binance: what it tells of a key (``apiRestrictions``), its proofs, its errors.

Sources, as named in the rows: [BDOC] developers.binance.com/docs, [BSW] binance/binance-api-swagger
``spot_api.yaml``, [BSPOT] binance/binance-spot-api-docs ``rest-api.md`` and ``errors.md``, [FAPI]
developers.binance.com/docs/derivatives error codes, [CX] ccxt 4.5.90 ``binance.py``.

One answer, -2015, stands for an address that is not allowed, a missing permission and a key that is
switched off, at times for an unknown key or a short ban too. What the key says of itself is the second
question that tells some of these apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from reconciler.exchanges import parse
from reconciler.exchanges.errors import HTTP_OK, ErrorRow, classify, unexpected
from reconciler.exchanges.interface import Answer, Ask, Budget, Call, Exchange, Json, Readable
from reconciler.exchanges.listings import BINANCE as LISTINGS
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
    IpWhitelist,
    KeyReport,
    Permission,
    Permissions,
    Wallet,
)

# The budget counts in weights of the spot API, 6,000 a minute for one address. The other APIs have
# pools of their own: a weight there is the same share of its pool (12,000 for sapi, 2,400 for fapi),
# so that no mixture of calls can overdraw any pool.
_SAPI: Final = 0.5
_FAPI: Final = 2.5

TIME: Final = Call(
    name="time",
    path="/api/v3/time",
    implicit="publicGetTime",
    public=True,
    source="[BSPOT] Check server time",
)
STATUS: Final = Call(
    name="status",
    path="/sapi/v1/system/status",
    implicit="sapiGetSystemStatus",
    weight=_SAPI,
    public=True,
    source="[BDOC] wallet, System Status",
)
KEY: Final = Call(
    name="key",
    path="/sapi/v1/account/apiRestrictions",
    implicit="sapiGetAccountApiRestrictions",
    weight=_SAPI,
    source="[BDOC] wallet, Get API Key Permission; [BSW]",
)
BALANCE: Final = Call(
    name="balance",
    path="/api/v3/account",
    implicit="privateGetAccount",
    weight=20,
    source="[BSPOT] Account information",
)
ORDERS: Final = Call(
    name="orders",
    path="/api/v3/openOrders",
    implicit="privateGetOpenOrders",
    weight=6,
    source="[BSPOT] Current open orders: 6 with a symbol, 80 without",
)
MARGIN_BALANCE: Final = Call(
    name="balance-margin",
    path="/sapi/v1/margin/account",
    implicit="sapiGetMarginAccount",
    weight=10 * _SAPI,
    source="[BDOC] margin, Query Cross Margin Account Details",
)
MARGIN_ORDERS: Final = Call(
    name="orders-margin",
    path="/sapi/v1/margin/openOrders",
    implicit="sapiGetMarginOpenOrders",
    weight=10 * _SAPI,
    source="[BDOC] margin, Query Margin Account's Open Orders",
)
FUTURES_BALANCE: Final = Call(
    name="balance-futures",
    path="/fapi/v3/balance",
    implicit="fapiPrivateV3GetBalance",
    weight=5 * _FAPI,
    source="[BDOC] derivatives, Futures Account Balance V3",
)
FUTURES_ORDERS: Final = Call(
    name="orders-futures",
    path="/fapi/v1/openOrders",
    implicit="fapiPrivateGetOpenOrders",
    weight=1 * _FAPI,
    source="[BDOC] derivatives, Current All Open Orders",
)

_P = Permission
#: Flag -> what it grants. [BDOC] wallet, Get API Key Permission
FLAGS: Final[Mapping[str, tuple[Permission, ...]]] = {
    "enableReading": (_P.READ,),
    "enableSpotAndMarginTrading": (_P.SPOT, _P.MARGIN),
    "enableMargin": (_P.TRANSFER,),  # margin loan, repay and transfer; orders are the flag above
    "enableFutures": (_P.FUTURES,),
    "enableInternalTransfer": (_P.TRANSFER,),
    "permitsUniversalTransfer": (_P.TRANSFER,),
    "enableVanillaOptions": (_P.OPTIONS,),
    "enableWithdrawals": (_P.WITHDRAW,),
    "enableFixApiTrade": (),
    "enableFixReadOnly": (),
    "enablePortfolioMarginTrading": (),
}
#: What a flag may grant besides. Universal transfer leaves "each business's own transfer API" as it
#: is, and that of futures asks for the futures flag; with portfolio margin, futures and margin
#: orders go through an API of its own without their flags. [BDOC] the same page
PERHAPS: Final[Mapping[str, tuple[Permission, ...]]] = {
    "enableFutures": (_P.TRANSFER,),
    "enableFixApiTrade": (_P.SPOT,),
    "enableFixReadOnly": (_P.READ,),
    "enablePortfolioMarginTrading": (_P.MARGIN, _P.FUTURES, _P.TRANSFER),
}
#: Newer flags: where one is absent, the exchange does not have it yet. [BSW] lists none of them
_NEWER: Final = frozenset({"enableFixApiTrade", "enableFixReadOnly", "enablePortfolioMarginTrading"})
_FIELDS: Final = frozenset({*FLAGS, "ipRestrict", "createTime", "tradingAuthorityExpirationTime"})

_KIND = FailureKind
_CODES: Final = "[BSPOT] errors.md"
_UNCLEAR: Final = (_KIND.IP_NOT_ALLOWED, _KIND.PERMISSION_DENIED, _KIND.KEY_DISABLED)
#: -2015 was also given for keys that are none, and to an address under a short ban (ccxt#11045).
_REFUSED: Final = (*_UNCLEAR, _KIND.INVALID_KEY, _KIND.RATE_LIMITED)
ROWS: Final[tuple[ErrorRow, ...]] = (
    ErrorRow(
        kind=_KIND.AMBIGUOUS_AUTH,
        code="-2015",
        match=r"request ip",
        candidates=(*_REFUSED, _KIND.WRONG_ENVIRONMENT),
        note="Binance names the address even when the address is not the reason.",
        source="[FAPI] -2015; node-binance-api#629 (futures off), Binance_Futures_python#60 (test net key)",
    ),
    ErrorRow(
        kind=_KIND.AMBIGUOUS_AUTH,
        code="-2015",
        candidates=_REFUSED,
        source=f"{_CODES} -2015; HTTP 400 on sapi, ccxt#18653; key and secret mixed up, node-binance-api#98",
    ),
    ErrorRow(kind=_KIND.INVALID_KEY, code="-2014", source=f"{_CODES} API-key format invalid"),
    ErrorRow(
        kind=_KIND.INVALID_KEY,
        code="-2008",
        note="A key of the test net or of binance.us is unknown here too.",
        source="[CX] Invalid Api-Key ID",
    ),
    ErrorRow(kind=_KIND.BAD_SIGNATURE, code="-1022", source=f"{_CODES} Signature is not valid"),
    ErrorRow(kind=_KIND.CLOCK_SKEW, code="-1021", source=f"{_CODES} Timestamp outside of the recvWindow"),
    ErrorRow(kind=_KIND.KEY_DISABLED, code="-2017", source="[FAPI] API Keys are locked on this account"),
    ErrorRow(
        kind=_KIND.AMBIGUOUS_AUTH,
        code={"-1002", "-1099"},
        candidates=(_KIND.INVALID_KEY, *_UNCLEAR),
        source=f"{_CODES} You are not authorized to execute this request",
    ),
    ErrorRow(kind=_KIND.IP_NOT_ALLOWED, code={"-1005", "-1011"}, source="[FAPI] the IP is not white listed"),
    ErrorRow(
        kind=_KIND.RATE_LIMITED,
        code="-1003",
        match=r"banned until (?P<until_ms>\d{12,14})",
        source=f"{_CODES} -1003; the end of the ban in ms",
    ),
    ErrorRow(kind=_KIND.RATE_LIMITED, code={"-1003", "-1015"}, source=_CODES),
    ErrorRow(
        kind=_KIND.PERMISSION_DENIED,
        code="-2010",
        match=r"symbol not whitelisted",
        note="The key is limited to a list of symbols that lacks this one.",
        source=f"{_CODES} messages for -2010",
    ),
    ErrorRow(
        kind=_KIND.ACCOUNT_RESTRICTED,
        code="-2010",
        match=r"disabled on this account",
        source=f"{_CODES} messages for -2010",
    ),
    ErrorRow(
        kind=_KIND.REGION_BLOCKED, code={"-4402", "-4403"}, source="[FAPI] not available in your region"
    ),
    ErrorRow(
        kind=_KIND.ACCOUNT_RESTRICTED,
        code={"-3022", "-4087", "-4088", "-4192", "-4400", "-4401"},
        source="[FAPI]; [BDOC] margin error codes: trading is blocked, banned or cooling off",
    ),
    ErrorRow(
        kind=_KIND.WRONG_ACCOUNT_MODE,
        code="-3003",
        note="The account has no margin account yet.",
        source="[BDOC] margin error codes",
    ),
    ErrorRow(
        kind=_KIND.MAINTENANCE,
        match=r"under maintenance|system.maintenance",
        html=False,
        source="[CX] -10001 and texts",
    ),
    ErrorRow(
        kind=_KIND.UNAVAILABLE,
        code={"-1000", "-1001", "-1004", "-1006", "-1007", "-1008", "-1016", "-3000"},
        source=f"{_CODES}: busy, timed out or internal",
    ),
    ErrorRow(
        kind=_KIND.BAD_REQUEST,
        code={str(-number) for number in range(1100, 1200)},
        source=f"{_CODES} 11xx: the request",
    ),
)

#: What a success must hold: Binance has no success code, and failures can come with HTTP 200.
_HOLDS: Final[Mapping[str, frozenset[str]]] = {
    TIME.name: frozenset({"serverTime"}),
    STATUS.name: frozenset({"status"}),
    KEY.name: frozenset({*FLAGS, "ipRestrict"}),
    BALANCE.name: frozenset({"balances"}),
    MARGIN_BALANCE.name: frozenset({"userAssets"}),
    "markets": frozenset({"symbols"}),
    "markets-futures": frozenset({"symbols"}),
}
_OPEN_ORDERS: Final = {Market.SPOT: ORDERS, Market.MARGIN: MARGIN_ORDERS, Market.FUTURES: FUTURES_ORDERS}
#: The same question for the balance and for the account's id.
_HELD: Final = {"omitZeroBalances": "true"}


class Binance(Exchange):
    """Binance. Permissions are told finely; addresses, label, expiry and master or sub are not."""

    id = "binance"
    ccxt_id = "binance"
    name = "Binance"
    calls = (
        *(TIME, STATUS, KEY, BALANCE, ORDERS),
        *(MARGIN_BALANCE, MARGIN_ORDERS, FUTURES_BALANCE, FUTURES_ORDERS),
        *calls_of(LISTINGS),
    )
    time = TIME
    status = STATUS
    budget = Budget(
        units=5_400, seconds=60, burst=300, source="[BSPOT] LIMITS: 6,000 weight per minute and IP"
    )
    attestable = frozenset({"ip_whitelist"})
    readable = Readable(
        futures="yes, unless portfolio margin is on",
        transfer="unknown while futures are on and other transfers off",
        ip_list="no, only whether there is one",
        expiry="only of the right to trade",
        label="no",
        uid="yes, by a second call",
        sub_account="no",
    )
    key_page = "https://www.binance.com/en/my/settings/api-management"
    wallets = frozenset(Market)
    listings = LISTINGS

    async def read_key(self, ask: Ask, market: Market) -> KeyReport:
        """The key's report from ``apiRestrictions``, with the account's id where ``account`` tells it."""
        del market
        return _report(parse.fields(await ask(KEY)), uid=await _uid(ask))

    async def read_balance(self, ask: Ask, market: Market) -> Wallet | None:
        """Spot, cross margin or USD-M futures balances; of margin what is left after debts."""
        if market is Market.FUTURES:
            return wallet(await _explained(ask, FUTURES_BALANCE), currency="asset", parts=("balance",))
        if market is Market.MARGIN:
            rows = parse.fields(await _explained(ask, MARGIN_BALANCE)).get("userAssets")
            return wallet(rows, currency="asset", parts=("netAsset",))
        rows = parse.fields(await _explained(ask, BALANCE, _HELD)).get("balances")
        return wallet(rows, currency="asset", parts=("free", "locked"))

    async def read_orders(self, ask: Ask, market: Market, pairs: tuple[str, ...]) -> None:
        """Open orders of the first pair: asking for every symbol costs many times more."""
        symbol = parse.pair(pairs[0] if pairs else "BTC/USDT", "")
        await _explained(ask, _OPEN_ORDERS[market], {"symbol": symbol})

    def judge(self, answer: Answer) -> Failure | None:
        """``None`` only for HTTP 200 with what the call is documented to give, and no error code."""
        if answer.status == HTTP_OK and answer.transport is None and _success(answer):
            return None
        return classify(
            ROWS,
            call=answer.call.name,
            status=answer.status,
            code=parse.said(answer.body, "code"),
            message=parse.said(answer.body, "msg") or "",
            answer=answer,
        )

    def parse_time(self, body: Json) -> int:
        """``{"serverTime": 1499827319559}``. Source: [BSPOT] Check server time."""
        told = parse.integer(parse.fields(body).get("serverTime"))
        if told is None:
            raise ValueError("Binance told no serverTime")
        return told

    def parse_status(self, body: Json) -> Health:
        """``{"status": 0, "msg": "normal"}``; 1 is maintenance. Source: [BDOC] wallet, System Status."""
        known = {0: Health.OPERATIONAL, 1: Health.MAINTENANCE}
        told = parse.integer(parse.fields(body).get("status"))
        return Health.UNKNOWN if told is None else known.get(told, Health.UNKNOWN)


def _success(answer: Answer) -> bool:
    body, held = answer.body, _HOLDS.get(answer.call.name)
    if held is not None:
        return isinstance(body, dict) and "code" not in body and not held.isdisjoint(body)
    # A single error can come as a list of one: [{"code": -2011, "msg": ".."}].
    return isinstance(body, list) and all(isinstance(item, dict) and "code" not in item for item in body)


async def _uid(ask: Ask) -> str | None:
    """The account's id; unknown rather than a failure, because the key itself was read."""
    try:
        return parse.uid(parse.fields(await ask(BALANCE, _HELD)).get("uid"))
    except CallFailed:
        return None


async def _explained(ask: Ask, call: Call, params: Mapping[str, Any] | None = None) -> Json:
    """Make a call; when the refusal is unclear, ask what the key says of itself."""
    try:
        return await ask(call, params)
    except CallFailed as failed:
        if failed.failure.kind is not _KIND.AMBIGUOUS_AUTH:
            raise
        raise CallFailed(await _clearer(ask, call, failed.failure)) from None


async def _clearer(ask: Ask, call: Call, failure: Failure) -> Failure:
    """The same failure after the second question: an answer rules out key, secret, address and reading."""
    try:
        told = parse.fields(await ask(KEY))
    except CallFailed:
        return failure
    needed = "enableFutures" if call in (FUTURES_BALANCE, FUTURES_ORDERS) else "enableReading"
    granted = parse.flag(told.get(needed))
    if granted is False:
        kind = _KIND.PERMISSION_DENIED
        why = f"{KINDS[kind].title} (code {failure.code}): the key's own report says that {needed} is off."
        return replace(failure, kind=kind, message=why, candidates=())
    remaining = (_KIND.PERMISSION_DENIED, _KIND.ACCOUNT_RESTRICTED, _KIND.RATE_LIMITED)
    why = " The key's own report can be read from here, so neither key, secret nor address is the reason."
    return replace(failure, message=failure.message + why, candidates=remaining)


def _report(body: Mapping[str, Json], *, uid: str | None) -> KeyReport:
    if _HOLDS[KEY.name].isdisjoint(body):
        raise unexpected(KEY.name, "Binance described no key")
    permissions, strange = _permissions(body)
    return KeyReport(
        permissions=permissions,
        ip_whitelist=_whitelist(parse.flag(body.get("ipRestrict"))),
        account=Account(uid=uid),
        created_at=parse.moment(body.get("createTime")),
        trade_expires_at=parse.moment(body.get("tradingAuthorityExpirationTime")),
        unknown_words=strange,
    )


def _permissions(body: Mapping[str, Json]) -> tuple[Permissions, tuple[str, ...]]:
    """What the flags grant, and the flags that nobody knows and that are not plainly off."""
    granted = {name for name in FLAGS if parse.flag(body.get(name))}
    unclear = {
        name
        for name in FLAGS
        if parse.flag(body.get(name)) is None and not (name in _NEWER and name not in body)
    }
    strange = _strange(body)
    given = _meant(FLAGS, granted)
    open_ = _meant(PERHAPS, granted) | _meant(FLAGS, unclear) | _meant(PERHAPS, unclear)
    open_ |= parse.EVERY_PERMISSION if strange else frozenset()
    values = {str(p): True if p in given else None if p in open_ else False for p in Permission}
    return Permissions(**values), strange


def _strange(body: Mapping[str, Json]) -> tuple[str, ...]:
    """Fields that nobody knows: switched on, whatever the name, or named like a right and not plainly off."""
    rights = parse.strange_rights(body, _FIELDS)
    switched_on = (name for name in body if name not in _FIELDS and str(body[name]).lower() == "true")
    named = (name for name in rights if parse.flag(body[name]) is not False)
    return tuple(dict.fromkeys((*named, *switched_on)))


def _meant(table: Mapping[str, tuple[Permission, ...]], names: Iterable[str]) -> frozenset[Permission]:
    return frozenset(permission for name in names for permission in table.get(name, ()))


def _whitelist(restricted: bool | None) -> IpWhitelist:
    """Binance tells only whether the key is bound to addresses, never to which."""
    return IpWhitelist(restricted=restricted, addresses=() if restricted is False else None)


EXCHANGE: Final = Binance()
