"""Bybit: what it tells of a key (``query-api``), its proofs, its errors.

Sources, as named in the rows: [BY] bybit-exchange/docs ``docs/v5`` (July 2026), [P2P] the same
repository's ``docs/p2p``, [DB] deltabadger ``app/models/exchanges`` (texts recorded live), [CX] ccxt
4.5.90 ``bybit.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from reconciler.exchanges import parse
from reconciler.exchanges.errors import HTTP_OK, ErrorRow, classify, unexpected
from reconciler.exchanges.interface import Answer, Ask, Budget, Call, Exchange, Json, Readable
from reconciler.exchanges.listings import BYBIT as LISTINGS
from reconciler.exchanges.listings import calls_of
from reconciler.exchanges.wallet import wallet
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

TIME: Final = Call(
    name="time", path="/v5/market/time", implicit="publicGetV5MarketTime", public=True, source="[BY] market"
)
STATUS: Final = Call(
    name="status", path="/v5/system/status", implicit="publicGetV5SystemStatus", public=True, source="[BY]"
)
KEY: Final = Call(
    name="key", path="/v5/user/query-api", implicit="privateGetV5UserQueryApi", source="[BY] any permission"
)
BALANCE: Final = Call(
    name="balance",
    path="/v5/account/wallet-balance",
    implicit="privateGetV5AccountWalletBalance",
    source="[BY] account",
)
ORDERS: Final = Call(
    name="orders", path="/v5/order/realtime", implicit="privateGetV5OrderRealtime", source="[BY] order"
)

_P = Permission
#: Bybit Pay: its page says ``FiatBitPay`` or ``FiatBybitPay`` by its age, and the word is Bybit's own slip.
_PAY: Final = tuple(
    f"Fiat{pay}.{word}" for pay in ("BitPay", "BybitPay") for word in ("FaitPayOrder", "FiatPayOrder")
)
#: ``group.word`` -> what it grants. Reading comes with every word. [BY] user/apikey-info
WORDS: Final[Mapping[str, tuple[Permission, ...]]] = {
    "ContractTrade.Order": (_P.READ, _P.FUTURES),
    "Spot.SpotTrade": (_P.READ, _P.SPOT, _P.MARGIN),  # margin: a spot order with isLeverage=1
    "Options.OptionsTrade": (_P.READ, _P.OPTIONS),
    "Wallet.AccountTransfer": (_P.READ, _P.TRANSFER),
    "Wallet.SubMemberTransfer": (_P.READ, _P.TRANSFER),
    "Wallet.SubMemberTransferList": (_P.READ, _P.TRANSFER),
    "Wallet.Withdraw": (_P.READ, _P.WITHDRAW),
    **dict.fromkeys(("ContractTrade.Position", "Derivatives.DerivativesTrade"), (_P.READ,)),
    **dict.fromkeys(("BlockTrade.BlockTrade", "CopyTrading.CopyTrading"), (_P.READ,)),
    **dict.fromkeys(("Exchange.ExchangeHistory", "Earn.Earn"), (_P.READ,)),
    **dict.fromkeys(("NFT.NFTQueryProductList", "Affiliate.Affiliate", "ByXPost.ByXPost"), ()),
    **dict.fromkeys(("FiatP2P.FiatP2POrder", "FiatP2P.Advertising", "BitCard.BitCard"), ()),
    **dict.fromkeys(_PAY, ()),
    "FiatConvertBroker.FiatConvertBrokerOrder": (),
}
#: What a word may grant besides. A position's stop is an order; OptionsTrade "supports trade option and
#: USDC perpetual"; a P2P order ends in coins released to a stranger, and how far the words of Pay and
#: of the card reach is not documented. [BY] user/apikey-info; [P2P] order/release-digital-asset
PERHAPS: Final[Mapping[str, tuple[Permission, ...]]] = {
    "ContractTrade.Position": (_P.FUTURES,),
    "Options.OptionsTrade": (_P.FUTURES,),
    "Derivatives.DerivativesTrade": (_P.FUTURES, _P.OPTIONS),
    "BlockTrade.BlockTrade": (_P.SPOT, _P.FUTURES, _P.OPTIONS),
    "CopyTrading.CopyTrading": (_P.FUTURES,),
    **dict.fromkeys(("FiatP2P.FiatP2POrder", "FiatP2P.Advertising", "BitCard.BitCard"), (_P.WITHDRAW,)),
    **dict.fromkeys(_PAY, (_P.WITHDRAW,)),
}
#: Groups that every answer has: where one is absent, what it holds was not told.
_ALWAYS: Final = frozenset({"ContractTrade", "Spot", "Wallet", "Options"})
_GROUPS: Final = frozenset(word.split(".", 1)[0] for word in WORDS)
_FIELDS: Final = frozenset(
    {"id", "note", "apiKey", "readOnly", "secret", "permissions", "ips", "type", "deadlineDay"}
    | {"expiredAt", "createdAt", "unified", "uta", "userID", "inviterID", "vipLevel", "mktMakerLevel"}
    | {"affiliateID", "rsaPublicKey", "isMaster", "parentUid", "kycLevel", "kycRegion"}
    | {"userIDInt64", "inviterIDInt64", "affiliateIDInt64", "flag", "status"}
)
_REQUIRED: Final = frozenset({"permissions", "readOnly", "apiKey", "userID"})

#: How long a key lives that is bound to no address. [BY] user/create-subuid-apikey
UNBOUND_LIFE: Final = timedelta(days=90)
UNBOUND_RULE: Final = "90 days without an IP whitelist"
_MAX_DAYS: Final = 36_500

_KIND = FailureKind
_CODES: Final = "[BY] error"
_RESET_HEADER: Final = "x-bapi-limit-reset-timestamp"
_RATE: Final = "10006"
ROWS: Final[tuple[ErrorRow, ...]] = (
    ErrorRow(
        kind=_KIND.AMBIGUOUS_AUTH,
        match=r"invalid api-key, ip, or permissions",
        html=False,
        candidates=(_KIND.INVALID_KEY, _KIND.IP_NOT_ALLOWED, _KIND.PERMISSION_DENIED),
        source="[DB] Invalid API-key, IP, or permissions for action.",
    ),
    ErrorRow(
        kind=_KIND.INVALID_KEY,
        code="10003",
        note="Keys of the test net, of demo trading and of Bybit's other sites (EU, NL, TR, KZ, ...) are "
        "unknown here too.",
        source=f"{_CODES} 10003: check whether the key and domain are matched",
    ),
    ErrorRow(
        kind=_KIND.AMBIGUOUS_AUTH,
        status=401,
        html=True,
        candidates=(_KIND.INVALID_KEY, _KIND.WRONG_ENVIRONMENT),
        note="Bybit sometimes answers a key that it does not know without any text.",
        source=f"{_CODES} HTTP 401: need to use the correct key",
    ),
    ErrorRow(kind=_KIND.BAD_SIGNATURE, code="10004", source=f"{_CODES} Error sign"),
    ErrorRow(
        kind=_KIND.PERMISSION_DENIED, code="10005", source=f"{_CODES}; also given for a category of no use"
    ),
    ErrorRow(kind=_KIND.IP_NOT_ALLOWED, code="10010", source=f"{_CODES} Unmatched IP; it names no address"),
    ErrorRow(kind=_KIND.CLOCK_SKEW, code={"10002", "-1"}, source=f"{_CODES} exceeds the time window"),
    ErrorRow(kind=_KIND.KEY_EXPIRED, code={"33004", "-2015"}, source=f"{_CODES} Your api key has expired"),
    ErrorRow(
        kind=_KIND.AMBIGUOUS_AUTH,
        code="10007",
        candidates=(_KIND.INVALID_KEY, _KIND.BAD_SIGNATURE),
        source=f"{_CODES} User authentication failed",
    ),
    ErrorRow(
        kind=_KIND.REGION_BLOCKED, code="10009", source=f"{_CODES} currently unavailable for your region"
    ),
    ErrorRow(
        kind=_KIND.ACCOUNT_RESTRICTED,
        code={"10008", "10024", "10027"},
        source=f"{_CODES} common banned, compliance rules, transactions are banned",
    ),
    ErrorRow(
        kind=_KIND.ACCOUNT_RESTRICTED,
        code="10029",
        note="The account is limited to a list of symbols that lacks this one.",
        source=f"{_CODES} please check symbol whitelist",
    ),
    ErrorRow(
        kind=_KIND.WRONG_ACCOUNT_MODE,
        code={"10028", "100028", "110067"},
        source=f"{_CODES}: only for unified accounts, or not for them",
    ),
    ErrorRow(
        kind=_KIND.RATE_LIMITED,
        status=403,
        match=r"too frequent",
        retry_after=600,
        source="[BY] rate-limit: the address is banned; wait for at least 10 minutes",
    ),
    ErrorRow(
        kind=_KIND.REGION_BLOCKED,
        status=403,
        html=True,
        match=r"cloudfront|your country",
        source=f"{_CODES} HTTP 403: a U.S. address; [BY] guide: also mainland China",
    ),
    ErrorRow(kind=_KIND.RATE_LIMITED, code={_RATE, "10018"}, source=f"{_CODES}: of the account, of the IP"),
    ErrorRow(
        kind=_KIND.UNAVAILABLE,
        code={"429", "10000", "10016", "10019"},
        source=f"{_CODES}: high load, server timeout, server error, restarting",
    ),
    ErrorRow(
        kind=_KIND.BAD_REQUEST,
        code={"10001", "10014", "10017"},
        source=f"{_CODES}: parameters (also “openapi sign params error!”), duplicate, route",
    ),
    ErrorRow(
        kind=_KIND.BAD_REQUEST,
        status=404,
        source=f"{_CODES} HTTP 404: wrong path, or a category that does not match the account mode",
    ),
)

#: After these the account may be a classic one, whose wallets have names of their own.
_MAYBE_CLASSIC: Final = frozenset({_KIND.WRONG_ACCOUNT_MODE, _KIND.BAD_REQUEST})
_CLASSIC_WALLETS: Final = {Market.SPOT: "SPOT", Market.MARGIN: "SPOT", Market.FUTURES: "CONTRACT"}
_LINEAR: Final = frozenset({"USDT", "USDC"})
_STATES: Final = {
    "ongoing": Health.MAINTENANCE,
    "scheduled": Health.OPERATIONAL,
    "completed": Health.OPERATIONAL,
    "canceled": Health.OPERATIONAL,
}
_DEMO: Final = "2"
#: Futures and spot; options and spreads are no market of a strategy. [BY] enum, product
_PRODUCTS: Final = frozenset({"1", "2"})


class Bybit(Exchange):
    """Bybit. Everything is told but whether a key is switched off; read-only overrides every word."""

    id = "bybit"
    ccxt_id = "bybit"
    name = "Bybit"
    calls = (TIME, STATUS, KEY, BALANCE, ORDERS, *calls_of(LISTINGS))
    time = TIME
    status = STATUS
    budget = Budget(
        units=300, seconds=5, burst=30, source="[BY] rate-limit: 600 requests per 5 s and IP; half of it"
    )
    attestable = frozenset({"withdraw_disabled"})
    readable = Readable(
        futures="yes, unless only option or position words are given",
        withdraw="yes; unknown beside P2P, Pay or card rights",
        expiry="yes, for a key without a whitelist or after a password change",
    )
    key_page = "https://www.bybit.com/app/user/api-management"
    wallets = frozenset(Market)
    listings = LISTINGS

    async def read_key(self, ask: Ask, market: Market) -> KeyReport:
        """The key's report from ``query-api``."""
        del market
        body = parse.fields(parse.fields(await ask(KEY)).get("result"))
        if _REQUIRED.isdisjoint(body):
            raise unexpected(KEY.name, "Bybit described no key")
        return _report(body, now=ask.now())

    async def read_balance(self, ask: Ask, market: Market) -> Wallet | None:
        """The unified account's wallet, or the classic one of the market."""
        try:
            return _wallet(await ask(BALANCE, {"accountType": "UNIFIED"}))
        except CallFailed as failed:
            if failed.failure.kind not in _MAYBE_CLASSIC:
                raise
            try:
                return _wallet(await ask(BALANCE, {"accountType": _CLASSIC_WALLETS[market]}))
            except CallFailed:
                raise failed from None

    async def read_orders(self, ask: Ask, market: Market, pairs: tuple[str, ...]) -> None:
        """Open orders of spot (margin too), or of the futures in which the first pair settles."""
        await ask(ORDERS, _orders(market, pairs[0] if pairs else ""))

    def judge(self, answer: Answer) -> Failure | None:
        """``None`` only for HTTP 200 with ``retCode`` 0 and a result."""
        body = parse.fields(answer.body)
        code = parse.said(body, "retCode", "ret_code")
        if answer.status == HTTP_OK and code == "0" and isinstance(body.get("result"), dict):
            return None
        failure = classify(
            ROWS,
            call=answer.call.name,
            status=answer.status,
            code=code,
            message=parse.said(body, "retMsg", "ret_msg") or "",
            answer=answer,
        )
        if failure.code == _RATE and failure.retry_after is None:
            return replace(failure, retry_after=_until_reset(answer.headers))
        return failure

    def parse_time(self, body: Json) -> int:
        """``{"result": {"timeNano": "1688639403423213947"}, "time": 1688639403423}``. [BY] market/time."""
        result = parse.fields(parse.fields(body).get("result"))
        nano = parse.integer(result.get("timeNano"))
        told = nano // 1_000_000 if nano is not None else parse.integer(parse.fields(body).get("time"))
        if told is None:
            raise ValueError("Bybit told no time")
        return told

    def parse_status(self, body: Json) -> Health:
        """Maintenance while one is ongoing in live trading; ccxt ignores ``env``. [BY] system-status."""
        listed = parse.fields(parse.fields(body).get("result")).get("list")
        if not isinstance(listed, list):
            return Health.UNKNOWN
        found = {_health(parse.fields(event)) for event in listed}
        worst_first = (Health.MAINTENANCE, Health.UNKNOWN)
        return next((health for health in worst_first if health in found), Health.OPERATIONAL)


def _health(event: Mapping[str, Json]) -> Health:
    """What one maintenance means for live spot and futures trading, as far as it says."""
    listed = event.get("product")
    products = {str(one) for one in listed} if isinstance(listed, list) else set()
    if parse.said(event, "env") == _DEMO or (products and products.isdisjoint(_PRODUCTS)):
        return Health.OPERATIONAL
    return _STATES.get(str(event.get("state")), Health.UNKNOWN)


def _wallet(body: Json) -> Wallet | None:
    """The coins of the one account in the answer, with what their positions gained or lost."""
    accounts = parse.fields(parse.fields(body).get("result")).get("list")
    if not isinstance(accounts, list) or len(accounts) != 1:
        return None
    return wallet(parse.fields(accounts[0]).get("coin"), currency="coin", parts=("equity",))


def _orders(market: Market, symbol: str) -> dict[str, Any]:
    if market is not Market.FUTURES:
        return {"category": "spot"}
    settle = symbol.partition(":")[2].split("-", 1)[0] or "USDT"
    return {"category": "linear" if settle in _LINEAR else "inverse", "settleCoin": settle}


def _until_reset(headers: Mapping[str, str]) -> float | None:
    """Seconds until the account's limit is reset, which Bybit tells as a time in ms."""
    reset = parse.integer(headers.get(_RESET_HEADER))
    try:
        now = parsedate_to_datetime(headers.get("date", "")).timestamp()
    except (ValueError, OverflowError):
        return None
    return None if reset is None else max(0.0, reset / 1000 - now)


def _report(body: Mapping[str, Json], *, now: datetime) -> KeyReport:
    permissions, unknown = _permissions(body)
    whitelist = parse.whitelist(body.get("ips"), empty=None)
    created = parse.moment(body.get("createdAt"))
    expires, rule = _expiry(body, now), None
    if expires is None and created is not None and whitelist.restricted is False:
        reckoned = created + UNBOUND_LIFE
        if reckoned > now:  # a key that outlived the rule was renewed, and nothing tells until when
            expires, rule = reckoned, UNBOUND_RULE
    return KeyReport(
        permissions=permissions,
        ip_whitelist=whitelist,
        account=_account(body),
        label=parse.text(body.get("note")),
        created_at=created,
        expires_at=expires,
        expiry_rule=rule,
        unknown_words=unknown,
    )


def _expiry(body: Mapping[str, Json], now: datetime) -> datetime | None:
    """When the key ends: told as a day (1970 is none) or as days left (-2 and 0 are none)."""
    told = parse.moment(body.get("expiredAt"))
    days = parse.integer(body.get("deadlineDay"))
    if told is not None or days is None or not 0 < days <= _MAX_DAYS:
        return told
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=days), time(), UTC)


def _account(body: Mapping[str, Json]) -> Account:
    master, parent = parse.flag(body.get("isMaster")), parse.uid(body.get("parentUid"))
    if master is None and parent is not None:
        master = False
    uid = parse.uid(body.get("userID")) or parse.uid(body.get("userIDInt64"))
    return Account(uid=uid, is_sub=None if master is None else not master, parent_uid=parent)


def _permissions(body: Mapping[str, Json]) -> tuple[Permissions, tuple[str, ...]]:
    """What the words grant after ``readOnly``, which overrides them all, and what nobody knows."""
    strange = parse.strange_rights(body, _FIELDS)
    strange = tuple(name for name in strange if parse.flag(body[name]) is not False)
    permissions, unknown = _granted(body.get("permissions"))
    values = dict(permissions.items())
    if parse.integer(body.get("uta")) != 1 and values[_P.MARGIN]:
        values[_P.MARGIN] = None  # only a unified account borrows by a spot order
    read_only = parse.flag(body.get("readOnly"))
    for permission, value in values.items():
        if permission is _P.READ:
            values[permission] = value or None  # no key is without reading, so it is never denied
        elif read_only is not False:
            values[permission] = False if read_only or value is False else None
        if strange and not values[permission]:
            values[permission] = None
    return Permissions(**{str(name): value for name, value in values.items()}), (*unknown, *strange)


def _granted(groups: Json) -> tuple[Permissions, tuple[str, ...]]:
    if not isinstance(groups, dict):
        return Permissions(), ()
    listed: list[str] = []
    unread = set(_ALWAYS - set(groups))
    for group, held in groups.items():
        words = parse.words(held)
        if words is not None:
            listed.extend(f"{group}.{word}" for word in words)
        elif group in _GROUPS:
            unread.add(group)
        else:
            listed.append(group)
    permissions, unknown = parse.granted(tuple(listed), WORDS, perhaps=PERHAPS)
    open_ = {each for group in unread for each in _meant(group)}
    values = {str(p): None if p in open_ and not value else value for p, value in permissions.items()}
    return Permissions(**values), unknown


def _meant(group: str) -> frozenset[Permission]:
    """Everything that the words of a group can grant."""
    tables = (WORDS, PERHAPS)
    return frozenset(
        each
        for table in tables
        for word, grants in table.items()
        if word.startswith(f"{group}.")
        for each in grants
    )


EXCHANGE: Final = Bybit()
