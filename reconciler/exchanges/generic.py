"""Any exchange that ccxt knows and that has no module of its own: balance and open orders, no more.

No exchange's words are understood here, so nothing is said of a key but that a balance was read
with it. Every permission, the whitelist, the account and the expiry stay unknown; a person can
attest what the checks need (``attestations:``), and a module of its own does better.

What is asked stands in ``ccxt_ids.json``: for each exchange the request that ccxt's own
``fetch_balance`` and ``fetch_open_orders`` make, noted by ``reconciler.live.ccxt_table``, which
says what may get in. The guard lists exactly these (method, path) pairs, as for every other
exchange. Some are POST, because exchanges such as Bitstamp read by POST; a POST gets in only with
a path of its own in which no word sounds like a change. Where one path serves every purpose, or
ccxt needs its list of markets first, the exchange or its open orders cannot be read.

Failures are told by ccxt's class alone. Those classes mislead often enough that no refusal is
taken for certain: it is ``ambiguous_auth`` with what ccxt makes of it as the first candidate, so
that it never starts anything, and never stops a running strategy before its grace period.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any, ClassVar, Final

from reconciler.exchanges import parse
from reconciler.exchanges.errors import classify, unexpected
from reconciler.exchanges.interface import Answer, Ask, Budget, Call, Exchange, Json, Readable
from reconciler.model.desired import Market
from reconciler.model.kinds import KINDS
from reconciler.model.live import REFUSALS, CallFailed, Failure, FailureKind, KeyReport, Permissions

#: Our own caution: no exchange is asked more often, whatever ccxt thinks it allows.
MOST_PER_SECOND: Final = 20.0
_SUCCESS: Final = range(200, 300)
_SOURCE: Final = "ccxt's own {ask}, a read; ccxt_ids.json"
_KIND = FailureKind
_CANDIDATES: Final = (_KIND.INVALID_KEY, _KIND.BAD_SIGNATURE, _KIND.IP_NOT_ALLOWED, _KIND.PERMISSION_DENIED)

_CODE: Final = ("code", "error_code", "errorCode", "err_code", "retCode", "ret_code", "status_code")
_TALK: Final = ("message", "msg", "error", "error_message", "errmsg", "detail", "description", "reason")
_ERROR_NAME: Final = re.compile(r"err(?:or)?s?(?:_?(?:code|msg|message|s))?", re.IGNORECASE)
_NO_ERROR: Final = ("", "0", "none", "null", "false", "ok", "success", "[]", "{}")
_REFUSED_WORDS: Final = frozenset({"false", "error", "err", "fail", "failed", "failure", "ng"})
#: Names of a verdict, and the words that refuse there. Zero says no only where the name is a yes.
_VERDICTS: Final = {
    "success": _REFUSED_WORDS | {"0"},
    "ok": _REFUSED_WORDS | {"0"},
    "result": _REFUSED_WORDS,
    "status": _REFUSED_WORDS,
}


@cache
def _table() -> Mapping[str, Mapping[str, Any]]:
    text = files("reconciler.exchanges").joinpath("ccxt_ids.json").read_text(encoding="utf-8")
    table: Mapping[str, Mapping[str, Any]] = json.loads(text)
    return table


@cache
def ids() -> tuple[str, ...]:
    """The ccxt ids that can be read generically, sorted."""
    return tuple(sorted(ccxt_id for ccxt_id, entry in _table().items() if "refused" not in entry))


def all_ids() -> tuple[str, ...]:
    """Every ccxt id of the table, readable or not, sorted."""
    return tuple(sorted(_table()))


def refusal(ccxt_id: str) -> str | None:
    """Why an exchange that ccxt knows cannot be read, as a clause; ``None`` for any other."""
    reason = _table().get(ccxt_id, {}).get("refused")
    return None if reason is None else str(reason)


def reader(ccxt_id: str) -> Generic:
    """The reader of one of :func:`ids`. Raise ``KeyError`` for any other."""
    entry = _table()[ccxt_id]

    class Made(Generic):
        id = ccxt_id
        name = str(entry["name"])
        credentials = tuple(entry["credentials"])
        calls = tuple(_call(each) for each in entry["calls"])
        budget = Budget(
            units=min(float(entry["per_second"]), MOST_PER_SECOND),
            seconds=1.0,
            burst=1.0,
            source="ccxt's rateLimit and the costs of its endpoints",
        )
        markets = entry["markets"]
        params: ClassVar[Mapping[str, Mapping[str, Any]]] = {c["name"]: c["params"] for c in entry["calls"]}

    Made.ccxt_id = ccxt_id
    return Made()


def _call(entry: Mapping[str, Any]) -> Call:
    endpoint, api = entry["raw"]
    ask = "fetch_balance" if entry["name"].startswith("balance") else "fetch_open_orders"
    return Call(
        name=entry["name"],
        method=entry["method"],
        path=entry["path"],
        raw=(endpoint, tuple(api)),
        weight=float(entry["weight"]),
        source=_SOURCE.format(ask=ask),
    )


class Generic(Exchange):
    """One exchange of the table. ``markets`` names the calls of each market, ``params`` what they carry."""

    one_at_a_time = True
    attestable = frozenset({"withdraw_disabled", "ip_whitelist"})
    readable = Readable(
        read_trade="only that a balance was read",
        futures="no",
        withdraw="no",
        transfer="no",
        ip_list="no",
        expiry="no",
        label="no",
        created="no",
        uid="no",
        sub_account="no",
    )
    markets: ClassVar[Mapping[str, Mapping[str, str]]]
    params: ClassVar[Mapping[str, Mapping[str, Any]]]

    async def read_key(self, ask: Ask, market: Market) -> KeyReport:
        """A report of unknowns, after a balance (of any market) proved that the key reads."""
        named = self.markets.get(market, {}).get("balance")
        await self._read_balance(
            ask, named or next(c.name for c in self.calls if c.name.startswith("balance"))
        )
        return KeyReport(permissions=Permissions(read=True))

    async def read_balance(self, ask: Ask, market: Market) -> None:
        """The balance that ccxt reads for ``market``, read and thrown away."""
        await self._read_balance(ask, self._named(market, "balance"))

    async def read_orders(self, ask: Ask, market: Market, pairs: tuple[str, ...]) -> None:
        """Every open order, where ccxt can ask for all of them without its list of markets."""
        del pairs
        name = self._named(market, "orders")
        body = await self._ask(ask, name)
        if not isinstance(body, list) and not any(
            isinstance(v, list | dict) for v in parse.fields(body).values()
        ):
            raise unexpected(name, f"{self.name}'s answer holds no list of orders.")

    def judge(self, answer: Answer) -> Failure | None:
        """``None`` only for HTTP 2xx with JSON in which neither ccxt nor we see a complaint."""
        body = answer.body
        sound = answer.transport is None and answer.status in _SUCCESS and answer.ccxt_error is None
        if sound and isinstance(body, list | dict) and not _complains(body):
            return None
        failure = classify(
            (),
            call=answer.call.name,
            status=answer.status,
            code=parse.said(body, *_CODE),
            message=_message(body),
            answer=answer,
        )
        return _uncertain(failure, answer.ccxt_error)

    async def _ask(self, ask: Ask, name: str) -> Json:
        return await ask(next(call for call in self.calls if call.name == name), self.params[name])

    async def _read_balance(self, ask: Ask, name: str) -> None:
        if not _tells_something(await self._ask(ask, name)):
            why = (
                f"{self.name}'s answer holds no balance: the account is empty, or it is an error in disguise."
            )
            raise unexpected(name, why)

    def _named(self, market: Market, what: str) -> str:
        """The name of the call for ``what`` in ``market``. Raise ``CallFailed`` where ccxt has none."""
        named = self.markets.get(market, {}).get(what)
        if named is not None:
            return named
        kind = _KIND.UNEXPECTED_RESPONSE
        why = f"{self.name} has no module here, and ccxt has no request for the {what} of {market} alone"
        raise CallFailed(Failure(kind=kind, message=f"Not asked: {why}.", call=what))


def _uncertain(failure: Failure, ccxt_error: str | None) -> Failure:
    """The same failure, with a refusal told as one reason among several."""
    if failure.kind not in REFUSALS:
        return failure
    rest = tuple(kind for kind in _CANDIDATES if kind is not failure.kind)
    title = KINDS[_KIND.AMBIGUOUS_AUTH].title
    said = failure.message.removeprefix(KINDS[failure.kind].title)
    return replace(
        failure,
        kind=_KIND.AMBIGUOUS_AUTH,
        message=f"{title}{said} ccxt takes it for {ccxt_error}.",
        candidates=(failure.kind, *rest),
    )


def _complains(body: Json) -> bool:
    """Whether a body says by itself that it is an error, as most exchanges' do in one of a few ways."""
    told = parse.fields(body)
    if any(_ERROR_NAME.fullmatch(name) and _word(value) not in _NO_ERROR for name, value in told.items()):
        return True
    if any(_word(told[name]) in words for name, words in _VERDICTS.items() if name in told):
        return True
    # A code and a text with nothing beside them are a message, not an answer.
    talks = any(name in told for name in (*_CODE, *_TALK))
    return talks and not any(isinstance(value, list | dict) for value in told.values())


def _word(value: Json) -> str:
    if isinstance(value, list | dict):
        return "…" if value else "[]"
    return str(value).strip().casefold()


def _tells_something(body: Json) -> bool:
    """Whether there is anything in an answer besides codes, texts and empty containers."""
    if isinstance(body, list):
        return any(not isinstance(item, list | dict) or _tells_something(item) for item in body)
    told = parse.fields(body)
    held = [value for value in told.values() if isinstance(value, list | dict)]
    return any(map(_tells_something, held)) if held else bool(told)


def _message(body: Json) -> str:
    told = parse.fields(body)
    said = parse.said(told, *_TALK)
    listed = told.get("error") or told.get("errors")
    if said is None and isinstance(listed, list) and listed:
        return str(listed[0]) if isinstance(listed[0], str) else parse.said(listed[0], *_TALK) or ""
    return said or parse.said(parse.fields(told.get("error")), *_TALK) or ""
