"""MEXC: what it tells of a key (``apiKeyInfo``), its proofs, its errors.

Sources, as named in the rows: [GCT] thrasher-corp/gocryptotrader ``exchanges/mexc`` (real answers),
[MX3] mexcdevelop/apidocs ``spot_v3_en``, [MXC] ``contract_v1_en``, [MXB] ``broker_en``, [MXN]
www.mexc.com/api-docs (2026), [OB] Drakkar-Software/OctoBot-Tentacles (real error texts), [DB]
deltabadger ``app/models/exchanges`` (texts recorded live), [CX] ccxt 4.5.90 ``mexc.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Final

from reconciler.exchanges import parse
from reconciler.exchanges.errors import HTTP_OK, ErrorRow, classify, unexpected
from reconciler.exchanges.interface import OWN_KEY, Answer, Ask, Budget, Call, Exchange, Json, Readable
from reconciler.exchanges.listings import MEXC as LISTINGS
from reconciler.exchanges.listings import calls_of
from reconciler.exchanges.wallet import wallet
from reconciler.model.desired import Market
from reconciler.model.live import Account, CallFailed, Failure, FailureKind, KeyReport, Permission, Wallet

_V3: Final = "[MX3] spot v3"
_V1: Final = "[MXC] contract v1"

TIME: Final = Call(
    name="time", path="/api/v3/time", implicit="spotPublicGetTime", public=True, source=f"{_V3} Server Time"
)
KEY: Final = Call(
    name="key", path="/api/v3/apiKeyInfo", implicit="spotPrivateGetApiKeyInfo", source="[MXN] Query ApiKey"
)
UID: Final = Call(
    name="uid", path="/api/v3/uid", implicit="spotPrivateGetUid", source="[MXN] Query UID; [GCT] mexc_test.go"
)
BALANCE: Final = Call(
    name="balance",
    path="/api/v3/account",
    implicit="spotPrivateGetAccount",
    weight=10,
    source=f"{_V3} Account Information",
)
ORDERS: Final = Call(
    name="orders",
    path="/api/v3/openOrders",
    implicit="spotPrivateGetOpenOrders",
    weight=3,
    source=f"{_V3} Current Open Orders",
)
FUTURES_BALANCE: Final = Call(
    name="balance-futures",
    path="/api/v1/private/account/assets",
    implicit="contractPrivateGetAccountAssets",
    weight=2,
    source=f"{_V1} Get all assets",
)
FUTURES_ORDERS: Final = Call(
    name="orders-futures",
    path="/api/v1/private/order/list/open_orders",
    implicit="contractPrivateGetOrderListOpenOrders",
    weight=2,
    source=f"{_V1} Get current pending orders",
)

#: Permission word -> what it grants. SPOT_WITHDRAW_WRITE sends coins out, be it to an address or to another
#: user ([MXN] Withdraw; Internal Transfer). The words: [MXB] sub-account keys
WORDS: Final[Mapping[str, tuple[Permission, ...]]] = {
    "SPOT_ACCOUNT_READ": (Permission.READ,),
    "SPOT_ACCOUNT_WRITE": (),
    "SPOT_DEAL_READ": (),
    "SPOT_DEAL_WRITE": (Permission.SPOT,),
    "CONTRACT_ACCOUNT_READ": (Permission.READ,),
    "CONTRACT_ACCOUNT_WRITE": (),
    "CONTRACT_DEAL_READ": (),
    "CONTRACT_DEAL_WRITE": (Permission.FUTURES,),
    "SPOT_TRANSFER_READ": (),
    "SPOT_TRANSFER_WRITE": (Permission.TRANSFER,),
    "SPOT_WITHDRAW_READ": (),
    "SPOT_WITHDRAW_WRITE": (Permission.WITHDRAW,),
    "SPOT_DEPOSIT_READ": (),
    "SPOT_DEPOSIT_WRITE": (),
    "ISOLATED_MARGIN_ACCOUNT_READ": (Permission.READ,),
    "ISOLATED_MARGIN_ACCOUNT_WRITE": (Permission.MARGIN,),
    "ISOLATED_MARGIN_DEAL_READ": (),
    "ISOLATED_MARGIN_DEAL_WRITE": (Permission.MARGIN,),
}

#: What a word may grant besides. Other readings show orders, withdrawals or transfers; whether the account
#: too, no page says. With SPOT_TRANSFER_READ a sub-account of a broker may withdraw and transfer, and no
#: answer tells that an account is none. [MXB] Withdraw; Universal Transfer
PERHAPS: Final[Mapping[str, tuple[Permission, ...]]] = {
    word: (Permission.READ,) for word, grants in WORDS.items() if word.endswith("_READ") and not grants
} | {"SPOT_TRANSFER_READ": (Permission.READ, Permission.TRANSFER, Permission.WITHDRAW)}

_FIELDS: Final = frozenset(
    {"note", "accessKey", "apikey", "apiKey", "createTime", "permissions"}
    | {"remainingValidity", "ipWhiteList", "status"}
)
_DISABLED: Final = {"VALID": False, "DELETE": True, "FROZEN": True}  # [MXN] Query ApiKey
_FOREVER_DAYS: Final = 36_500

_KIND = FailureKind
ROWS: Final[tuple[ErrorRow, ...]] = (
    ErrorRow(kind=_KIND.INVALID_KEY, code="10072", source="[OB][DB] Api key info invalid"),
    ErrorRow(kind=_KIND.INVALID_KEY, code="700001", source=f"{_V3} API-key format invalid"),
    ErrorRow(kind=_KIND.INVALID_KEY, code="730706", source=f"{_V3} error codes"),
    ErrorRow(kind=_KIND.INVALID_KEY, code="400", match=r"api key required", source=f"{_V3} error codes"),
    ErrorRow(
        kind=_KIND.BAD_SIGNATURE,
        code="700002",
        note="MEXC may answer an expired key in the same way.",
        source=f"{_V3} Signature for this request is not valid; the remark on expired keys is [CX]'s",
    ),
    ErrorRow(kind=_KIND.CLOCK_SKEW, code={"700003", "10073"}, source=f"{_V3} recvWindow; [OB] 10073"),
    ErrorRow(kind=_KIND.IP_NOT_ALLOWED, code="700006", source="[OB] IP [..] not in the ip white list"),
    ErrorRow(kind=_KIND.PERMISSION_DENIED, code="700007", source=f"{_V3} No permission to access"),
    ErrorRow(
        kind=_KIND.PERMISSION_DENIED,
        code="30020",
        note="The key is limited to a list of symbols that lacks this one.",
        source=f"{_V3} error codes",
    ),
    ErrorRow(
        kind=_KIND.ACCOUNT_RESTRICTED,
        code={"70011", "60005", "10098", "30018", "730100"},
        source=f"{_V3} error codes",
    ),
    ErrorRow(
        kind=_KIND.MAINTENANCE, html=False, match=r"maintenance", source="[CX] mexc.py exceptions.broad"
    ),
    ErrorRow(
        kind=_KIND.UNAVAILABLE,
        code={"500", "501", "503", "504"},
        source="[MXN] Error Code: internal error, gateway; [CX] system busy",
    ),
    ErrorRow(
        kind=_KIND.UNAVAILABLE,
        code="403",
        note="A firewall in front of MEXC turned the request away; that tells nothing of the key.",
        source="[MXN] Error Code: Access Denied, by frequency or format; General Info: 403 is the WAF limit",
    ),
    ErrorRow(kind=_KIND.RATE_LIMITED, code={"429", "510"}, source=f"{_V1} error codes"),
    ErrorRow(kind=_KIND.KEY_EXPIRED, code="402", source=f"{_V1} Api_key expired"),
    ErrorRow(kind=_KIND.BAD_SIGNATURE, code="602", source=f"{_V1} Signature verification failed"),
    ErrorRow(kind=_KIND.IP_NOT_ALLOWED, code="406", source=f"{_V1} ip non-whitelist"),
    ErrorRow(kind=_KIND.PERMISSION_DENIED, code="511", source=f"{_V1} Endpoint inaccessible"),
    ErrorRow(
        kind=_KIND.PERMISSION_DENIED,
        code={"701", "702"},
        note="Missing: futures account reading or writing (CONTRACT_ACCOUNT).",
        source=f"{_V1} error codes",
    ),
    ErrorRow(
        kind=_KIND.PERMISSION_DENIED,
        code={"703", "704"},
        note="Missing: futures order reading or writing (CONTRACT_DEAL).",
        source=f"{_V1} error codes",
    ),
    ErrorRow(kind=_KIND.CLOCK_SKEW, code="513", source=f"{_V1} Request-Time differs by more than 10 s"),
    ErrorRow(
        kind=_KIND.AMBIGUOUS_AUTH,
        code="401",
        candidates=(_KIND.INVALID_KEY, _KIND.BAD_SIGNATURE, _KIND.PERMISSION_DENIED),
        source=f"{_V3} No authority; {_V1} Not logged in",
    ),
)


class Mexc(Exchange):
    """MEXC. Every permission is told, and when the key ends; master or sub-account is not."""

    id = "mexc"
    ccxt_id = "mexc"
    name = "MEXC"
    calls = (TIME, KEY, UID, BALANCE, ORDERS, FUTURES_BALANCE, FUTURES_ORDERS, *calls_of(LISTINGS))
    time = TIME
    budget = Budget(units=270, seconds=10, burst=30, source="[MXN] 300 weight per 10 s and IP, shared")
    attestable = frozenset({"withdraw_disabled"})
    readable = Readable(
        withdraw="yes; unknown beside the reading of transfers",
        transfer="yes; unknown beside their reading alone",
        sub_account="no",
        uid="yes, by a second call",
        expiry="in whole days",
    )
    key_page = "https://www.mexc.com/user/openapi"
    wallets = frozenset({Market.SPOT, Market.FUTURES})
    listings = LISTINGS

    async def read_key(self, ask: Ask, market: Market) -> KeyReport:
        """The key's report from ``apiKeyInfo``, with the account's id where ``uid`` tells it."""
        del market
        body = _unwrapped(await ask(KEY, {"accessKey": OWN_KEY}))
        if not _FIELDS & set(body):
            raise unexpected(KEY.name, "MEXC described no key")
        return _report(body, uid=await _uid(ask), now=ask.now())

    async def read_balance(self, ask: Ask, market: Market) -> Wallet | None:
        """Spot or futures assets."""
        if market is Market.FUTURES:
            rows = _data(await ask(FUTURES_BALANCE))
            _expect(FUTURES_BALANCE, rows, list)
            return wallet(rows, currency="currency", parts=("equity",))
        rows = parse.fields(await ask(BALANCE)).get("balances")
        _expect(BALANCE, rows, list)
        return wallet(rows, currency="asset", parts=("free", "locked"))

    async def read_orders(self, ask: Ask, market: Market, pairs: tuple[str, ...]) -> None:
        """Open orders: of the first pair on spot, where a symbol is required; of all on futures."""
        if market is Market.FUTURES:
            _expect(FUTURES_ORDERS, _data(await ask(FUTURES_ORDERS)), list)
            return
        symbol = parse.pair(pairs[0] if pairs else "BTC/USDT", "")
        _expect(ORDERS, await ask(ORDERS, {"symbol": symbol}), list)

    def judge(self, answer: Answer) -> Failure | None:
        """``None`` for HTTP 200 without an error code (spot) or with ``success: true`` (futures)."""
        if answer.status == HTTP_OK and answer.transport is None and _success(answer):
            return None
        return classify(
            ROWS,
            call=answer.call.name,
            status=answer.status,
            code=parse.said(answer.body, "code"),
            message=parse.said(answer.body, "msg", "message") or "",
            answer=answer,
        )

    def parse_time(self, body: Json) -> int:
        """``{"serverTime": 1645539742000}``. Source: [MX3] Server Time."""
        told = parse.integer(parse.fields(body).get("serverTime"))
        if told is None:
            raise ValueError("MEXC told no serverTime")
        return told


def _success(answer: Answer) -> bool:
    body = answer.body
    if answer.call.path.startswith("/api/v1/"):
        return isinstance(body, dict) and body.get("success") is True and body.get("code") == 0
    if isinstance(body, dict):
        return parse.said(body, "code") in {"0", "200"} if "code" in body else True
    return isinstance(body, list)


def _unwrapped(body: Json) -> Mapping[str, Json]:
    """The key's fields, bare as the venue sends them or in a ``data`` envelope."""
    inner = parse.fields(body).get("data")
    return inner if isinstance(inner, dict) else parse.fields(body)


def _data(body: Json) -> Json:
    return parse.fields(body).get("data")


def _expect(call: Call, value: Json, shape: type) -> None:
    if not isinstance(value, shape):
        raise unexpected(call.name, f"MEXC's answer holds no {shape.__name__} where one is documented")


async def _uid(ask: Ask) -> str | None:
    """The account's id; unknown rather than a failure, because the key itself was read."""
    try:
        return parse.uid(_unwrapped(await ask(UID)).get("uid"))
    except CallFailed:
        return None


def _report(body: Mapping[str, Json], *, uid: str | None, now: datetime) -> KeyReport:
    listed = parse.words(body.get("permissions"))
    state = body.get("status")
    odd_state = () if state is None or _word(state) in _DISABLED else (f"status {state}",)
    strange = (*parse.strange_rights(body, _FIELDS), *odd_state)
    # No key is without permissions, so an empty list is no denial.
    permissions, unknown = parse.granted((*listed, *strange) if listed else None, WORDS, perhaps=PERHAPS)
    return KeyReport(
        permissions=permissions,
        ip_whitelist=parse.whitelist(body.get("ipWhiteList")),
        account=Account(uid=uid),
        label=parse.text(body.get("note")),
        created_at=parse.moment(body.get("createTime")),
        expires_at=_expiry(parse.integer(body.get("remainingValidity")), now),
        disabled=_DISABLED.get(_word(state)),
        unknown_words=unknown or strange,
    )


def _word(state: Json) -> str:
    return str(state).strip().upper()


def _expiry(days: int | None, now: datetime) -> datetime | None:
    """The start of the day on which the key ends: 0 is today, -999 never ([GCT] types.go)."""
    if days is None or not 0 <= days <= _FOREVER_DAYS:
        return None
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=days), time(), UTC)


EXCHANGE: Final = Mexc()
