"""Gate: what it tells of a key (``account/detail`` and ``account/main_keys``), its proofs, its errors.

Sources, as named in the rows: [GDOC] www.gate.com/docs/developers/apiv4, [GSDK] gateio/gateapi-python
7.2.57, [GFAQ] Gate help article 17521, [OB] OctoBot-Tentacles (texts recorded live), [CX] ccxt 4.5.90
``gate.py``.

Both calls need the permission ``account``. A key without it can be used, but tells nothing of itself:
then each scope is tried by a read, which shows what the key reaches and never what it may change.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

from reconciler.exchanges import parse
from reconciler.exchanges.errors import HTTP_OK, ErrorRow, classify
from reconciler.exchanges.interface import Answer, Ask, Budget, Call, Exchange, Json, Readable
from reconciler.exchanges.listings import GATE as LISTINGS
from reconciler.exchanges.listings import calls_of
from reconciler.exchanges.wallet import only, wallet
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


def _call(name: str, path: str, implicit: str, title: str, *, public: bool = False) -> Call:
    path = f"/api/v4/{path}"
    return Call(name=name, path=path, implicit=implicit, public=public, source=f"[GDOC] {title}")


TIME: Final = _call("time", "spot/time", "publicSpotGetTime", "Get server current time", public=True)
KEY: Final = _call("key", "account/detail", "privateAccountGetDetail", "Retrieve user account information")
MAIN_KEYS: Final = _call(
    "main-keys", "account/main_keys", "privateAccountGetMainKeys", "Query all main account key information"
)
BALANCE: Final = _call("balance", "spot/accounts", "privateSpotGetAccounts", "List spot trading accounts")
#: Of spot and margin, and no pair is needed.
ORDERS: Final = _call("orders", "spot/open_orders", "privateSpotGetOpenOrders", "List all open orders")
MARGIN_BALANCE: Final = _call(
    "balance-margin", "margin/accounts", "privateMarginGetAccounts", "Margin account list"
)
FUTURES_BALANCE: Final = _call(
    "balance-futures", "futures/{settle}/accounts", "privateFuturesGetSettleAccounts", "Get futures account"
)
FUTURES_ORDERS: Final = _call(
    "orders-futures", "futures/{settle}/orders", "privateFuturesGetSettleOrders", "Query futures order list"
)
WALLET: Final = _call(
    "wallet", "wallet/total_balance", "privateWalletGetTotalBalance", "Query personal account totals"
)

_P = Permission
#: Name of a permission -> what it grants when it is not read-only. [GSDK] AccountKeyInfoPerms;
#: ``quant``, ``sub_accounts`` and ``withdraw`` were seen in error texts only.
NAMES: Final[Mapping[str, tuple[Permission, ...]]] = MappingProxyType(
    {
        "spot": (_P.SPOT, _P.MARGIN),
        "futures": (_P.FUTURES,),
        "options": (_P.OPTIONS,),
        "wallet": (_P.TRANSFER,),
        "withdraw": (_P.WITHDRAW,),
        "withdrawal": (_P.WITHDRAW,),
        **dict.fromkeys(("account", "alpha", "copy", "crossx", "custody", "delivery", "earn", "loan"), ()),
        **dict.fromkeys(("margin", "otc", "pilot", "quant", "sub_accounts", "unified"), ()),
    }
)
#: What a name may grant besides. Nobody documents whether ``wallet`` alone may withdraw; who may make
#: keys of sub-accounts may make one that does; the others trade or move money on ground of their own.
PERHAPS: Final[Mapping[str, tuple[Permission, ...]]] = MappingProxyType(
    {
        "wallet": (_P.WITHDRAW,),
        "withdraw": (_P.TRANSFER,),
        "withdrawal": (_P.TRANSFER,),
        "custody": (_P.TRANSFER, _P.WITHDRAW),
        "otc": (_P.TRANSFER, _P.WITHDRAW),
        "sub_accounts": (_P.TRANSFER, _P.WITHDRAW),
        "crossx": (_P.SPOT, _P.MARGIN, _P.FUTURES, _P.TRANSFER),
        "quant": (_P.SPOT, _P.MARGIN, _P.FUTURES),
        "copy": (_P.SPOT, _P.FUTURES),
        "alpha": (_P.SPOT,),
        "pilot": (_P.SPOT,),
        "delivery": (_P.FUTURES,),
        "margin": (_P.MARGIN, _P.TRANSFER),
        "unified": (_P.MARGIN, _P.TRANSFER),
        "loan": (_P.MARGIN,),
        "earn": (_P.TRANSFER,),
    }
)
_READ_ONLY: Final = " (read only)"
_UNCLEAR: Final = " (unclear)"
_WORDS: Final[Mapping[str, tuple[Permission, ...]]] = {
    **{name: (_P.READ, *grants) for name, grants in NAMES.items()},
    **{f"{name}{suffix}": (_P.READ,) for name in NAMES for suffix in (_READ_ONLY, _UNCLEAR)},
}
_PERHAPS: Final[Mapping[str, tuple[Permission, ...]]] = {
    **PERHAPS,
    **{f"{name}{_UNCLEAR}": (*grants, *PERHAPS.get(name, ())) for name, grants in NAMES.items()},
}
_FIELDS: Final = frozenset(
    {"state", "mode", "name", "user_id", "perms", "ip_whitelist", "currency_pairs", "key"}
    | {"created_at", "update_at", "updated_at", "last_access", "read_only", "copy_trading_role"}
)
#: 1 normal; locked and frozen are 2 and 3 in the documentation, 3 and 2 in the SDK.
_DISABLED: Final = {1: False, 2: True, 3: True}

UNBOUND_LIFE: Final = timedelta(days=90)
UNBOUND_RULE: Final = "a key without IP whitelist is valid for 90 days, Gate help article 17521"

_KIND = FailureKind
_LABELS: Final = "[GDOC] label list"
_SCOPE: Final = r"does not have [\w ]+ permission"
_RESET: Final = "x-gate-ratelimit-reset-timestamp"
ROWS: Final[tuple[ErrorRow, ...]] = (
    ErrorRow(
        kind=_KIND.INVALID_KEY,
        code="INVALID_KEY",
        note="A test net key is unknown here too, and so, it seems, is one that has expired.",
        source=_LABELS,
    ),
    ErrorRow(kind=_KIND.BAD_SIGNATURE, code="INVALID_SIGNATURE", source=_LABELS),
    ErrorRow(
        kind=_KIND.AMBIGUOUS_AUTH,
        code={"INVALID_CREDENTIALS", "AUTHENTICATION_FAILED"},
        candidates=(_KIND.INVALID_KEY, _KIND.BAD_SIGNATURE),
        source="[CX]",
    ),
    ErrorRow(kind=_KIND.IP_NOT_ALLOWED, code="IP_FORBIDDEN", source=_LABELS),
    ErrorRow(
        kind=_KIND.IP_NOT_ALLOWED,
        code="FORBIDDEN",
        match=r"\bIP\b.*whitelist",
        source="[OB] Request IP not in whitelist: 11.11.11.11",
    ),
    ErrorRow(kind=_KIND.PERMISSION_DENIED, code="FORBIDDEN", match=_SCOPE, source="[GDOC]; [OB]"),
    ErrorRow(kind=_KIND.PERMISSION_DENIED, code="READ_ONLY", source=_LABELS),
    ErrorRow(
        kind=_KIND.AMBIGUOUS_AUTH,
        code="FORBIDDEN",
        candidates=(_KIND.PERMISSION_DENIED, _KIND.IP_NOT_ALLOWED, _KIND.ACCOUNT_RESTRICTED),
        source=f"{_LABELS}; one label for the address and the permission",
    ),
    ErrorRow(
        kind=_KIND.CLOCK_SKEW,
        code="REQUEST_EXPIRED",
        source="[GDOC] 60 s; looked at before the key; [CX] calls it an authentication error",
    ),
    ErrorRow(kind=_KIND.ACCOUNT_RESTRICTED, code={"ACCOUNT_LOCKED", "SUB_ACCOUNT_LOCKED"}, source=_LABELS),
    ErrorRow(
        kind=_KIND.WRONG_ACCOUNT_MODE,
        code="USER_NOT_FOUND",
        note="The futures account was never opened: transfer something into it once. The key is fine.",
        source=f"{_LABELS}, futures",
    ),
    ErrorRow(
        kind=_KIND.RATE_LIMITED,
        code={"TOO_MANY_REQUESTS", "TOO_FAST"},
        until_header=_RESET,
        source="[GDOC] rate limit",
    ),
    ErrorRow(kind=_KIND.RATE_LIMITED, status=429, until_header=_RESET, source="[GDOC] rate limit"),
    ErrorRow(
        kind=_KIND.MAINTENANCE,
        match=r"under maintenance|system maintenance",
        html=False,
        source="assumed; no label is known",
    ),
    ErrorRow(kind=_KIND.UNAVAILABLE, code={"TOO_BUSY", "INTERNAL", "SERVER_ERROR"}, source=_LABELS),
    ErrorRow(
        kind=_KIND.BAD_REQUEST,
        code={"MISSING_REQUIRED_HEADER", "MISSING_REQUIRED_PARAM", "INVALID_PARAM_VALUE", "BAD_REQUEST"}
        | {"INVALID_ARGUMENT", "INVALID_PROTOCOL", "METHOD_NOT_ALLOWED", "INVALID_CURRENCY_PAIR"},
        source=_LABELS,
    ),
)

#: What a success must hold: Gate has no success code, and a failure is told by ``label`` alone.
_HOLDS: Final[Mapping[str, frozenset[str]]] = {
    TIME.name: frozenset({"server_time"}),
    KEY.name: frozenset({"user_id", "ip_whitelist", "key"}),
    MAIN_KEYS.name: frozenset({"perms"}),
    FUTURES_BALANCE.name: frozenset({"currency", "total", "available"}),
    WALLET.name: frozenset({"total", "details"}),
}
_LISTS: Final = frozenset(
    {MAIN_KEYS.name, BALANCE.name, ORDERS.name, MARGIN_BALANCE.name, FUTURES_ORDERS.name}
    | {"markets", "markets-futures"}
)
#: Scope as the refusal spells it -> a read that needs it, and what its lack denies for sure. Other
#: scopes may trade futures or move money as well, so only the spot scope denies anything.
_PROBES: Final[Mapping[str, tuple[Call, dict[str, Any], tuple[Permission, ...]]]] = {
    "spot": (BALANCE, {}, (_P.SPOT,)),
    "futures": (FUTURES_BALANCE, {"settle": "usdt"}, ()),
    "wallet": (WALLET, {}, ()),
}
#: After these the list of keys may simply not be for this key (one of a sub-account).
_NO_LIST: Final = frozenset(
    {_KIND.PERMISSION_DENIED, _KIND.AMBIGUOUS_AUTH, _KIND.BAD_REQUEST, _KIND.UNEXPECTED_RESPONSE}
    | {_KIND.ACCOUNT_RESTRICTED, _KIND.WRONG_ACCOUNT_MODE}
)
_SETTLES: Final = frozenset({"usdt", "btc"})


class Gate(Exchange):
    """Gate. With the permission ``account`` nearly everything is told; without it, nothing but reach."""

    id = "gate"
    ccxt_id = "gate"
    name = "Gate"
    calls = (
        *(TIME, KEY, MAIN_KEYS, BALANCE, ORDERS, MARGIN_BALANCE),
        *(FUTURES_BALANCE, FUTURES_ORDERS, WALLET),
        *calls_of(LISTINGS),
    )
    time = TIME
    budget = Budget(
        units=50,
        seconds=1,
        burst=50,
        source="[GDOC] private limits count for one user, none for one IP; 50 a second is our own caution",
    )
    attestable = frozenset({"withdraw_disabled", "ip_whitelist"})
    readable = Readable(
        read_trade="with the permission `account`",
        futures="with the permission `account`",
        withdraw="only that it cannot: `wallet` may or may not include it",
        transfer="with the permission `account`",
        ip_list="with the permission `account`",
        expiry="estimated: 90 days after creation without a whitelist",
        label="with the permission `account`",
        created="with the permission `account`",
        uid="with the permission `account`",
        sub_account="only that it is a main account's key",
    )
    key_page = "https://www.gate.com/myaccount/profile/api-key/manage"
    wallets = frozenset({Market.SPOT, Market.FUTURES})
    listings = LISTINGS

    async def read_key(self, ask: Ask, market: Market) -> KeyReport:
        """The key's report: its account and addresses, then its own entry among the account's keys."""
        del market
        try:
            detail = parse.fields(await ask(KEY))
        except CallFailed as failed:
            if not _lacks(failed.failure, "account"):
                raise
            return KeyReport(permissions=await _probed(ask))
        entry = await _own_entry(ask, detail)
        if entry is None:
            return _report(detail, {}, permissions=await _probed(ask))
        permissions, unknown = _permissions(entry, detail)
        return _report(detail, entry, permissions=permissions, unknown=unknown)

    async def read_balance(self, ask: Ask, market: Market) -> Wallet | None:
        """Spot, isolated margin (which is many wallets) or USDT-settled futures accounts."""
        if market is Market.MARGIN:
            await ask(MARGIN_BALANCE)
            return None
        if market is Market.FUTURES:
            body = await ask(FUTURES_BALANCE, {"settle": "usdt"})
            return only(body, currency="currency", part="total")
        # What else a unified account holds may stand elsewhere.
        return wallet(await ask(BALANCE), currency="currency", parts=("available", "locked"), whole=False)

    async def read_orders(self, ask: Ask, market: Market, pairs: tuple[str, ...]) -> None:
        """Open orders: of every pair on spot and margin, of the first pair's settlement on futures."""
        if market is Market.FUTURES:
            settle = pairs[0].partition(":")[2].lower() if pairs else ""
            params = {"settle": settle if settle in _SETTLES else "usdt", "status": "open"}
            await ask(FUTURES_ORDERS, params)
        else:
            await ask(ORDERS)

    def judge(self, answer: Answer) -> Failure | None:
        """``None`` only for HTTP 200 without a label, with what the call is documented to give."""
        if answer.status == HTTP_OK and answer.transport is None and _success(answer):
            return None
        return classify(
            ROWS,
            call=answer.call.name,
            status=answer.status,
            code=parse.said(answer.body, "label"),
            message=parse.said(answer.body, "message", "detail") or "",
            answer=answer,
        )

    def parse_time(self, body: Json) -> int:
        """``{"server_time": 1597026383085}``, in ms. Source: [GDOC] Get server current time."""
        told = parse.integer(parse.fields(body).get("server_time"))
        if told is None:
            raise ValueError("Gate told no server_time")
        return told


def _success(answer: Answer) -> bool:
    body, name = answer.body, answer.call.name
    if isinstance(body, list) and name in _LISTS:
        return all(isinstance(item, dict) and "label" not in item for item in body)
    return isinstance(body, dict) and "label" not in body and bool(_HOLDS.get(name, set()) & body.keys())


def _lacks(failure: Failure, scope: str) -> bool:
    """Whether the exchange refused because the key lacks ``scope``, which proves key and address right."""
    denied = failure.kind is _KIND.PERMISSION_DENIED and failure.code == "FORBIDDEN"
    return denied and f"does not have {scope} permission" in failure.message


async def _probed(ask: Ask) -> Permissions:
    """What reads alone can show: that the key reads, and that it lacks the spot scope."""
    read: bool | None = None
    denied: set[Permission] = set()
    for scope, (call, params, denies) in _PROBES.items():
        try:
            await ask(call, params)
        except CallFailed as failed:
            if _lacks(failed.failure, scope):
                denied.update(denies)
            if failed.failure.kind is not _KIND.WRONG_ACCOUNT_MODE:  # not opened, yet not denied
                continue
        read = True
    return Permissions(read=read, **{str(permission): False for permission in denied})


async def _own_entry(ask: Ask, detail: Mapping[str, Json]) -> Mapping[str, Json] | None:
    """This key's entry among those of the main account, or ``None`` where there is no telling."""
    try:
        told = await ask(MAIN_KEYS)
    except CallFailed as failed:
        if failed.failure.kind not in _NO_LIST:
            raise
        return None
    if isinstance(told, dict) and not isinstance(told.get("key"), str):
        return told if _same_key(told, detail) else None
    entries = [parse.fields(entry) for entry in (told if isinstance(told, list) else [told])]
    own = [entry for entry in entries if isinstance(key := entry.get("key"), str) and ask.owns(key)]
    return own[0] if len(own) == 1 and _same_user(own[0], detail) else None


def _same_user(entry: Mapping[str, Json], detail: Mapping[str, Json]) -> bool:
    told, own = parse.uid(entry.get("user_id")), parse.uid(detail.get("user_id"))
    return told is None or own is None or told == own


def _same_key(entry: Mapping[str, Json], detail: Mapping[str, Json]) -> bool:
    """Whether an entry that names no key, the SDK's shape, is the one that ``account/detail`` is about."""
    told, own = (parse.whitelist(each.get("ip_whitelist")).addresses for each in (entry, detail))
    return _same_user(entry, detail) and told is not None and own is not None and set(told) == set(own)


def _report(
    detail: Mapping[str, Json],
    entry: Mapping[str, Json],
    *,
    permissions: Permissions,
    unknown: tuple[str, ...] = (),
) -> KeyReport:
    """The report. ``tier_expire_time`` is the account's VIP tier and no end of the key."""
    whitelist = parse.whitelist(detail.get("ip_whitelist", entry.get("ip_whitelist")))
    created = parse.moment(entry.get("created_at"))
    unbound = created is not None and whitelist.restricted is False
    return KeyReport(
        permissions=permissions,
        ip_whitelist=whitelist,
        account=Account(uid=parse.uid(detail.get("user_id")), is_sub=False if entry else None),
        label=parse.text(entry.get("name")),
        created_at=created,
        expires_at=created + UNBOUND_LIFE if created is not None and unbound else None,
        expiry_rule=UNBOUND_RULE if unbound else None,
        disabled=_DISABLED.get(parse.integer(entry.get("state")) or 0),
        unknown_words=unknown,
    )


def _permissions(
    entry: Mapping[str, Json], detail: Mapping[str, Json]
) -> tuple[Permissions, tuple[str, ...]]:
    """What ``perms`` grants; a list that is empty or has an item of another shape denies nothing."""
    words = _listed(entry.get("perms"))
    told = (detail, entry, *(entry["perms"] if words else ()))
    strange = tuple(name for each in told for name in parse.strange_rights(each, _FIELDS))
    if not words:
        return Permissions(), strange
    return parse.granted((*words, *strange), _WORDS, perhaps=_PERHAPS, could_mean=_could_mean)


def _listed(perms: Json) -> tuple[str, ...] | None:
    """``{"name": "spot", "read_only": true}`` as ``spot (read only)``; ``None`` for any other shape."""
    if not isinstance(perms, list):
        return None
    suffixes = {True: _READ_ONLY, False: "", None: _UNCLEAR}
    words: list[str] = []
    for item in map(parse.fields, perms):
        name = parse.text(item.get("name"))
        if name is None:
            return None
        words.append(f"{name}{suffixes[parse.flag(item.get('read_only'))]}")
    return tuple(words)


def _could_mean(word: str) -> frozenset[Permission]:
    """[GDOC] ``read_only`` true is querying and nothing else, whatever the name."""
    return frozenset({_P.READ}) if word.endswith(_READ_ONLY) else parse.EVERY_PERMISSION


EXCHANGE: Final = Gate()
