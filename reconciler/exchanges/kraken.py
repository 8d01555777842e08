"""Kraken (spot and margin): what it tells of a key (``GetApiKeyInfo``), its proofs, its errors.

Sources, as named in the rows: [KDOC] docs.kraken.com (API reference and guides), [KSUP]
support.kraken.com, [CX] ccxt 4.5.90 ``kraken.py``. Private calls are POST also where they only
read. Each must carry a larger nonce than the one before it, so one key's calls follow one another.

Kraken's futures are another exchange with keys of its own (``krakenfutures`` in ccxt).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from reconciler.exchanges import parse
from reconciler.exchanges.errors import HTTP_OK, ErrorRow, classify, unexpected
from reconciler.exchanges.interface import Answer, Ask, Budget, Call, Exchange, Json, Readable
from reconciler.model.desired import Market
from reconciler.model.live import Account, Failure, FailureKind, Health, KeyReport, Permission, Permissions

TIME: Final = Call(
    name="time",
    path="/0/public/Time",
    implicit="publicGetTime",
    public=True,
    source="[KDOC] Get Server Time",
)
STATUS: Final = Call(
    name="status",
    path="/0/public/SystemStatus",
    implicit="publicGetSystemStatus",
    public=True,
    source="[KDOC] Get System Status",
)
KEY: Final = Call(
    name="key",
    path="/0/private/GetApiKeyInfo",
    implicit="privatePostGetApiKeyInfo",
    method="POST",
    source="[KDOC] Get API Key Info, a read by POST that needs no permission",
)
BALANCE: Final = Call(
    name="balance",
    path="/0/private/BalanceEx",
    implicit="privatePostBalanceEx",
    method="POST",
    source="[KDOC] Get Extended Balance, a read by POST",
)
ORDERS: Final = Call(
    name="orders",
    path="/0/private/OpenOrders",
    implicit="privatePostOpenOrders",
    method="POST",
    source="[KDOC] Get Open Orders, a read by POST",
)

_P = Permission
#: Permission word -> what it grants; the thirteen words that exist. [KDOC] Get API Key Info
WORDS: Final[Mapping[str, tuple[Permission, ...]]] = {
    "query-funds": (_P.READ,),
    "add-funds": (),
    "withdraw-funds": (_P.WITHDRAW, _P.TRANSFER),  # also moves between master and sub-accounts
    "earn-funds": (),
    "query-open-trades": (),
    "query-closed-trades": (),
    "modify-trades": (_P.SPOT, _P.MARGIN),  # a margin order is an order with leverage
    "close-trades": (),
    "query-ledger": (),
    "export-data": (),
    "create-ws-token": (),
    # Who may choose where withdrawals go holds one half of one: that is no key for a bot.
    "add-withdraw-address": (_P.WITHDRAW,),
    "update-withdraw-address": (_P.WITHDRAW,),
}
_FIELDS: Final = frozenset(
    {"apiKeyName", "apiKey", "nonce", "nonceWindow", "permissions", "iban", "validUntil", "queryFrom"}
    | {"queryTo", "createdTime", "modifiedTime", "ipAllowlist", "lastUsed"}
)

_KIND = FailureKind
_ERRORS: Final = "[KDOC] guides, Error messages"
_DENIED: Final = r"^permission denied"
ROWS: Final[tuple[ErrorRow, ...]] = (
    ErrorRow(
        kind=_KIND.INVALID_KEY,
        code="EAPI",
        match=r"^invalid key",
        note="Kraken names no answer for an address that is not on the key's list: it may be this one.",
        source=_ERRORS,
    ),
    ErrorRow(
        kind=_KIND.BAD_SIGNATURE,
        code="EAPI",
        match=r"^invalid signature",
        note="A key with a second factor of its own is answered in the same way; bots need one without.",
        source=f"{_ERRORS}; [KSUP] two-factor authentication for API keys",
    ),
    ErrorRow(
        kind=_KIND.CLOCK_SKEW,
        code="EAPI",
        match=r"^invalid nonce",
        note="Another program that uses the same key with larger nonces has the same effect.",
        source=_ERRORS,
    ),
    ErrorRow(kind=_KIND.PERMISSION_DENIED, code="EGeneral", match=_DENIED, source=_ERRORS),
    ErrorRow(
        kind=_KIND.AMBIGUOUS_AUTH,
        code="EGeneral",
        match=r"^temporary lockout",
        candidates=(_KIND.INVALID_KEY, _KIND.BAD_SIGNATURE, _KIND.ACCOUNT_RESTRICTED),
        note="Too many refused calls; each further one makes it longer.",
        source=_ERRORS,
    ),
    ErrorRow(
        kind=_KIND.ACCOUNT_RESTRICTED,
        code={"EAuth", "ETrade"},
        match=r"^account|^user locked",
        source=f"{_ERRORS}; [CX] ETrade:User Locked",
    ),
    ErrorRow(
        kind=_KIND.RATE_LIMITED,
        code="EService",
        match=r"^\s*throttled:\s*(?P<until_ms>\d{9,14})",
        source="[KDOC] guides, Spot REST rate limits: the end as a time since 1970",
    ),
    ErrorRow(
        kind=_KIND.RATE_LIMITED,
        match=r"^rate limit exceeded|^too many requests|^\s*throttled",
        retry_after=5,
        source="[KDOC] guides, Spot REST rate limits: a few seconds",
    ),
    ErrorRow(kind=_KIND.MAINTENANCE, code="EService", match=r"^market in \w+ mode", source="[CX]"),
    ErrorRow(
        kind=_KIND.UNAVAILABLE,
        match=r"^unavailable|^busy|^internal error|^timeout|^deadline elapsed",
        source=f"{_ERRORS}; [CX]",
    ),
    ErrorRow(kind=_KIND.BAD_REQUEST, match=r"^invalid arguments|^unknown method", source=_ERRORS),
)
#: A key may always ask about itself, so here a denial is not one of a permission. [KDOC] Get API Key Info
KEY_ROWS: Final = (
    ErrorRow(
        kind=_KIND.AMBIGUOUS_AUTH,
        code="EGeneral",
        match=_DENIED,
        candidates=(_KIND.IP_NOT_ALLOWED, _KIND.KEY_EXPIRED, _KIND.KEY_DISABLED),
        source="[KDOC] Get API Key Info: permissions required: none",
    ),
    *ROWS,
)
_HEALTH: Final = {
    "online": Health.OPERATIONAL,
    "maintenance": Health.MAINTENANCE,
    "cancel_only": Health.MAINTENANCE,
    "post_only": Health.MAINTENANCE,
}


class Kraken(Exchange):
    """Kraken. Permissions, addresses and end of the key are told; whose sub-account it is, is not."""

    id = "kraken"
    ccxt_id = "kraken"
    name = "Kraken"
    calls = (TIME, STATUS, KEY, BALANCE, ORDERS)
    time = TIME
    status = STATUS
    budget = Budget(
        units=10,
        seconds=1,
        source="[KDOC] Spot REST rate limits count by key (15 calls, 1 back in 3 s); by address our caution",
    )
    readable = Readable(
        futures="no, they have keys of their own",
        withdraw="yes; the right over withdrawal addresses counts as one",
        transfer="only that it is granted, with withdrawal",
        uid="yes, the account's IIBAN",
        sub_account="no",
    )
    key_page = "https://pro.kraken.com/app/settings/api"
    one_at_a_time = True

    async def read_key(self, ask: Ask, market: Market) -> KeyReport:
        """The key's report from ``GetApiKeyInfo``."""
        del market
        return _report(parse.fields(parse.fields(await ask(KEY)).get("result")))

    async def read_balance(self, ask: Ask, market: Market) -> None:
        """The balances of spot and margin, which share one wallet."""
        _refuse_futures(BALANCE, market)
        await ask(BALANCE)

    async def read_orders(self, ask: Ask, market: Market, pairs: tuple[str, ...]) -> None:
        """Open orders of every pair."""
        del pairs
        _refuse_futures(ORDERS, market)
        if not isinstance(parse.fields(parse.fields(await ask(ORDERS)).get("result")).get("open"), dict):
            raise unexpected(ORDERS.name, "Kraken's answer holds no open orders where they are documented.")

    def judge(self, answer: Answer) -> Failure | None:
        """``None`` only for HTTP 200 with an empty list of errors and a result."""
        body = parse.fields(answer.body)
        told = body.get("error")
        if answer.transport is None and answer.status == HTTP_OK and _success(body):
            return None
        first = told[0] if isinstance(told, list) and told else told
        category, _, message = first.partition(":") if isinstance(first, str) else ("", "", "")
        return classify(
            KEY_ROWS if answer.call is KEY else ROWS,
            call=answer.call.name,
            status=answer.status,
            code=category or None,
            message=message,
            answer=answer,
        )

    def parse_time(self, body: Json) -> int:
        """``{"result": {"unixtime": 1616336594}}``: whole seconds, of which the middle is meant."""
        told = parse.integer(parse.fields(parse.fields(body).get("result")).get("unixtime"))
        if told is None:
            raise ValueError("Kraken told no unixtime")
        return told * 1000 + 500

    def parse_status(self, body: Json) -> Health:
        """``{"result": {"status": "online"}}``; in every other mode no orders are matched."""
        told = parse.fields(parse.fields(body).get("result")).get("status")
        return _HEALTH.get(str(told), Health.UNKNOWN)


def _success(body: Mapping[str, Json]) -> bool:
    return body.get("error") == [] and isinstance(body.get("result"), dict)


def _refuse_futures(call: Call, market: Market) -> None:
    if market is Market.FUTURES:
        raise unexpected(call.name, "Kraken's futures have keys of their own: `exchange: krakenfutures`.")


def _report(told: Mapping[str, Json]) -> KeyReport:
    if not _FIELDS & set(told):
        raise unexpected(KEY.name, "Kraken described no key.")
    permissions, unknown = _permissions(told)
    return KeyReport(
        permissions=permissions,
        ip_whitelist=parse.whitelist(told.get("ipAllowlist")),
        account=Account(uid=parse.uid(told.get("iban"))),
        label=parse.text(told.get("apiKeyName")),
        created_at=parse.moment(told.get("createdTime")),
        expires_at=parse.moment(told.get("validUntil")),
        unknown_words=unknown,
    )


def _permissions(told: Mapping[str, Json]) -> tuple[Permissions, tuple[str, ...]]:
    """What the words grant. Which right moves funds to the futures wallet is not documented."""
    listed = told.get("permissions")
    strange = parse.strange_rights(told, _FIELDS)
    if not isinstance(listed, list) or not parse.words(listed):  # an empty list is no denial
        return Permissions(), strange
    permissions, unknown = parse.granted((*(parse.words(listed) or ()), *strange), WORDS)
    return replace(permissions, transfer=permissions.transfer or None), unknown


EXCHANGE: Final = Kraken()
