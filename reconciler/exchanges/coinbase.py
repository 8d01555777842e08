"""Coinbase Advanced Trade: what it tells of a CDP key, its proofs, its errors.

Sources, as named in the rows: [CDP] docs.cdp.coinbase.com (pages by their titles), [SDK]
coinbase/coinbase-advanced-py, [OB] Drakkar-Software/OctoBot-Tentacles ``coinbase_exchange.py``, [CX] ccxt
4.5.90 ``coinbase.py``.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from reconciler.exchanges import parse
from reconciler.exchanges.errors import HTTP_OK, ErrorRow, classify
from reconciler.exchanges.interface import Answer, Ask, Budget, Call, Exchange, Json, Readable
from reconciler.exchanges.listings import COINBASE as LISTINGS
from reconciler.exchanges.listings import calls_of
from reconciler.exchanges.wallet import wallet
from reconciler.model.desired import Market
from reconciler.model.kinds import KINDS
from reconciler.model.live import (
    Account,
    CallFailed,
    Failure,
    FailureKind,
    KeyReport,
    Permissions,
    Wallet,
)
from reconciler.model.secret import Credentials

TIME: Final = Call(
    name="time",
    path="/api/v3/brokerage/time",
    implicit="v3PublicGetBrokerageTime",
    weight=3,
    public=True,
    source="[CDP] Get Server Time",
)
KEY: Final = Call(
    name="key",
    path="/api/v3/brokerage/key_permissions",
    implicit="v3PrivateGetBrokerageKeyPermissions",
    source="[CDP] Get API Key Permissions",
)
BALANCE: Final = Call(
    name="balance",
    path="/api/v3/brokerage/accounts",
    implicit="v3PrivateGetBrokerageAccounts",
    source="[CDP] List Accounts",
)
ORDERS: Final = Call(
    name="orders",
    path="/api/v3/brokerage/orders/historical/batch",
    implicit="v3PrivateGetBrokerageOrdersHistoricalBatch",
    source="[CDP] List Orders",
)
FUTURES_BALANCE: Final = Call(
    name="balance-futures",
    path="/api/v3/brokerage/cfm/balance_summary",
    implicit="v3PrivateGetBrokerageCfmBalanceSummary",
    source="[CDP] Get Futures Balance Summary",
)

_RIGHTS: Final = frozenset({"can_view", "can_trade", "can_transfer"})
#: Receiving takes nothing out of an account.
_FIELDS: Final = _RIGHTS | {"can_withdraw", "can_receive", "portfolio_uuid", "portfolio_type"}
#: What marks a success, since no answer carries a code: what it holds, by the call's name.
_HOLDS: Final[Mapping[str, Callable[[Mapping[str, Json]], bool]]] = {
    TIME.name: lambda body: parse.integer(body.get("epochMillis")) is not None,
    KEY.name: lambda body: not _RIGHTS.isdisjoint(body),
    BALANCE.name: lambda body: isinstance(body.get("accounts"), list),
    ORDERS.name: lambda body: isinstance(body.get("orders"), list),
    FUTURES_BALANCE.name: lambda body: bool(parse.fields(body.get("balance_summary"))),
    "markets": lambda body: isinstance(body.get("products"), list),
}
_ERRORS: Final = frozenset({"error", "errors"})

_KIND = FailureKind
_CODES: Final = "[CX] exceptions, from the error table of Coinbase's v2 API"
ROWS: Final[tuple[ErrorRow, ...]] = (
    ErrorRow(
        kind=_KIND.PERMISSION_DENIED,
        match=r"missing required scopes|permission is required",
        source="[CX] comment; [OB] EXCHANGE_PERMISSION_ERRORS; the code can also be “unknown”",
    ),
    ErrorRow(kind=_KIND.PERMISSION_DENIED, code={"PERMISSION_DENIED", "invalid_scope"}, source=_CODES),
    ErrorRow(kind=_KIND.INVALID_KEY, match=r"invalid api key", html=False, source="v2: authentication_error"),
    ErrorRow(
        kind=_KIND.BAD_SIGNATURE, match=r"invalid signature", html=False, source="v2: authentication_error"
    ),
    ErrorRow(
        kind=_KIND.CLOCK_SKEW,
        match=r"request timestamp expired",
        html=False,
        source="v2: authentication_error; ccxt's row for it is never reached",
    ),
    ErrorRow(
        kind=_KIND.ACCOUNT_RESTRICTED,
        code={"personal_details_required", "identity_verification_required", "unverified_email"}
        | {"jumio_verification_required", "jumio_face_match_verification_required"}
        | {"invalid_authentication_method"},
        source=_CODES,
    ),
    ErrorRow(
        kind=_KIND.AMBIGUOUS_AUTH,
        code={"authentication_error", "unauthorized", "UNAUTHENTICATED"},
        candidates=(_KIND.INVALID_KEY, _KIND.BAD_SIGNATURE, _KIND.IP_NOT_ALLOWED, _KIND.CLOCK_SKEW),
        source=_CODES,
    ),
    ErrorRow(
        kind=_KIND.AMBIGUOUS_AUTH,
        status=401,
        match=r"^\s*(?:unauthorized\s*)?$",
        candidates=(_KIND.INVALID_KEY, _KIND.BAD_SIGNATURE, _KIND.IP_NOT_ALLOWED, _KIND.CLOCK_SKEW),
        note="Coinbase says the same for an unknown key, a wrong secret and an address that is not allowed.",
        source="[SDK] issues 56 and 132",
    ),
    ErrorRow(
        kind=_KIND.RATE_LIMITED,
        code={"rate_limit_exceeded", "resource_exhausted", "RESOURCE_EXHAUSTED"},
        source=_CODES,
    ),
    ErrorRow(
        kind=_KIND.UNAVAILABLE, code={"internal_server_error", "INTERNAL", "UNAVAILABLE"}, source=_CODES
    ),
    ErrorRow(
        kind=_KIND.BAD_REQUEST,
        status={400, 404},
        html=False,
        source="[CDP] REST API: errors of the request",
    ),
)

#: A token is good from the second in which it was signed and for 120 s, by Coinbase's clock. [CDP]
#: API Key Authentication; the 5 s and the last 5 s are for the way there.
_AHEAD: Final = 5.0
_BEHIND: Final = 115.0

_LEGACY_KEY: Final = re.compile(r"[A-Za-z0-9]{16}")
_LEGACY_SECRET: Final = re.compile(r"[A-Za-z0-9]{32}")
_PEM: Final = "-----BEGIN"
_ED25519_BYTES: Final = frozenset({32, 64})


class Coinbase(Exchange):
    """Coinbase. Of a key it tells three rights and its portfolio: no addresses, no times, no name."""

    id = "coinbase"
    ccxt_id = "coinbase"
    name = "Coinbase"
    calls = (TIME, KEY, BALANCE, ORDERS, FUTURES_BALANCE, *calls_of(LISTINGS))
    time = TIME
    budget = Budget(
        units=30,
        seconds=1,
        burst=15,
        source="[CDP] Rate Limits: private 30 per s and user, public 10 per s and IP, which weigh 3 here",
    )
    attestable = frozenset({"ip_whitelist"})
    readable = Readable(
        futures="where a futures account answers",
        ip_list="no",
        expiry="no",
        label="no",
        created="no",
        uid="the portfolio's",
        sub_account="no",
    )
    key_page = "https://portal.cdp.coinbase.com/access/api"
    wallets = frozenset({Market.SPOT})
    listings = LISTINGS

    def unusable(self, credentials: Credentials) -> Failure | None:
        """Keys of the kind that ended in February 2025, and secrets that are no private key."""
        return _malformed(credentials.api_key.reveal(), credentials.secret.reveal())

    async def read_key(self, ask: Ask, market: Market) -> KeyReport:
        """The key's report from ``key_permissions``; for futures, whether there is an account for them."""
        body = parse.fields(await _asked(ask, KEY))
        futures = market is Market.FUTURES and await _has_futures(ask)
        permissions, unknown = _permissions(body, futures=futures)
        return KeyReport(
            permissions=permissions,
            account=Account(uid=parse.uid(body.get("portfolio_uuid"))),
            unknown_words=unknown,
        )

    async def read_balance(self, ask: Ask, market: Market) -> Wallet | None:
        """The accounts of the key's portfolio, or the account of US futures, which tells dollars alone."""
        if market is Market.FUTURES:
            await _asked(ask, FUTURES_BALANCE)
            return None
        return _wallet(parse.fields(await _asked(ask, BALANCE)))

    async def read_orders(self, ask: Ask, market: Market, pairs: tuple[str, ...]) -> None:
        """Open orders of every pair."""
        del pairs
        products = {"product_type": "FUTURE"} if market is Market.FUTURES else {}
        await _asked(ask, ORDERS, {"order_status": "OPEN", **products})

    def judge(self, answer: Answer) -> Failure | None:
        """``None`` only for HTTP 200 with what was asked for, and without a word of an error."""
        body = parse.fields(answer.body)
        if answer.status == HTTP_OK and _ERRORS.isdisjoint(body) and _HOLDS[answer.call.name](body):
            return None
        code, message = _error(body)
        return classify(
            ROWS,
            call=answer.call.name,
            status=answer.status,
            code=code,
            message=message,
            answer=answer,
        )

    def parse_time(self, body: Json) -> int:
        """``{"iso": "..", "epochSeconds": "1697814000", "epochMillis": "1697814000123"}``. [CDP]."""
        told = parse.integer(parse.fields(body).get("epochMillis"))
        if told is None:
            raise ValueError("Coinbase told no time")
        return told


def _malformed(api_key: str, secret: str) -> Failure | None:
    if _LEGACY_KEY.fullmatch(api_key) and _LEGACY_SECRET.fullmatch(secret):
        why = "Coinbase ended all keys of this older kind in February 2025; create a CDP key."
        return _unasked(_KIND.KEY_EXPIRED, why)
    if api_key.startswith(_PEM):
        return _unasked(_KIND.INVALID_KEY, "the API key is its name (organizations/…), not the public key.")
    if _PEM in secret and "\\n" in secret:
        why = "the private key holds \\n as two characters each; write it with real line ends."
        return _unasked(_KIND.BAD_SIGNATURE, why)
    if secret.startswith(_PEM) or _is_ed25519(secret):
        return None
    return _unasked(_KIND.BAD_SIGNATURE, "the secret is neither a private key in PEM nor an Ed25519 key.")


def _is_ed25519(secret: str) -> bool:
    try:
        return len(base64.b64decode(secret, validate=True)) in _ED25519_BYTES
    except (binascii.Error, ValueError):
        return False


def _unasked(kind: FailureKind, why: str) -> Failure:
    return Failure(kind=kind, message=f"{KINDS[kind].title}: {why}")


def _wallet(body: Mapping[str, Json]) -> Wallet | None:
    """What is available and what orders hold back; an answer of many pages is not the whole of it."""
    listed = body.get("accounts")
    accounts = map(parse.fields, listed if isinstance(listed, list) else ())
    rows = [
        {"currency": each.get("currency")}
        | {part: parse.fields(each.get(part)).get("value") for part in ("available_balance", "hold")}
        for each in accounts
    ]
    whole = body.get("has_next") is False
    return wallet(rows, currency="currency", parts=("available_balance", "hold"), whole=whole)


async def _asked(ask: Ask, call: Call, params: Mapping[str, Any] | None = None) -> Json:
    """Ask, and once more after a refusal without a reason: valid tokens meet one now and then.

    Source: [SDK] issue 132.
    """
    for last in (False, True):
        try:
            return await ask(call, params)
        except CallFailed as failed:
            if failed.failure.kind is not _KIND.AMBIGUOUS_AUTH:
                raise
            if last:
                raise CallFailed(await _clearer(ask, failed.failure)) from None
    raise AssertionError("the second question is answered or refused")


async def _clearer(ask: Ask, failure: Failure) -> Failure:
    """The same failure after Coinbase was asked for its time: the clock is the reason, or it is not."""
    try:
        told = EXCHANGE.parse_time(await ask(TIME))
    except (CallFailed, ValueError):
        return failure
    ahead = ask.now().timestamp() - told / 1000
    if -_BEHIND < ahead < _AHEAD:
        left = tuple(kind for kind in failure.candidates if kind is not _KIND.CLOCK_SKEW)
        return replace(failure, candidates=left)
    kind = _KIND.CLOCK_SKEW
    why = f"{KINDS[kind].title}: by Coinbase's own clock the token was not valid (HTTP {failure.status})."
    return replace(failure, kind=kind, message=why, candidates=())


async def _has_futures(ask: Ask) -> bool:
    """Whether the account of US futures answers; the right to trade is one for all products."""
    try:
        await _asked(ask, FUTURES_BALANCE)
    except CallFailed:
        return False
    return True


def _error(body: Mapping[str, Json]) -> tuple[str | None, str]:
    """Code and message of v3 (``error``), of its gateway (``code``) or of v2 (``errors``)."""
    listed = body.get("errors")
    if isinstance(listed, list) and listed:
        first = parse.fields(listed[0])
        return parse.said(first, "id"), parse.said(first, "message") or ""
    told = [parse.said(body, name) for name in ("message", "error_details", "error_description")]
    return parse.said(body, "error", "code"), " ".join(dict.fromkeys(text for text in told if text))


def _permissions(body: Mapping[str, Json], *, futures: bool) -> tuple[Permissions, tuple[str, ...]]:
    heard = parse.strange_rights(body, _FIELDS)
    named = (name for name in body if name in heard or (name.startswith("can_") and name not in _FIELDS))
    strange = tuple(name for name in named if parse.flag(body[name]) is not False)
    trade, transfer = parse.flag(body.get("can_trade")), parse.flag(body.get("can_transfer"))
    # The right is one for all products; which of them the account has, only its own answers tell.
    elsewhere = False if trade is False else None
    values = {
        "read": parse.flag(body.get("can_view")),
        "spot": trade,
        "margin": elsewhere,
        "futures": True if trade and futures else elsewhere,
        "options": elsewhere,
        "transfer": transfer,
        "withdraw": _withdraw(body, transfer),
    }
    if strange:
        values = {name: value or None for name, value in values.items()}
    return Permissions(**values), strange


def _withdraw(body: Mapping[str, Json], transfer: bool | None) -> bool | None:
    """``can_transfer`` is "deposit/withdrawal"; ``can_withdraw``, of [SDK]'s tests alone, only adds to it."""
    if "can_withdraw" not in body:
        return transfer
    named = parse.flag(body["can_withdraw"])
    if transfer or named:
        return True
    return False if (transfer, named) == (False, False) else None


EXCHANGE: Final = Coinbase()
