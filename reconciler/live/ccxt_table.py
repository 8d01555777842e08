"""Which exchanges can be read without a module of their own, and by which requests: asked of ccxt itself.

``python -m reconciler.live.ccxt_table > reconciler/exchanges/ccxt_ids.json`` writes the table. It lets
ccxt's own ``fetch_balance`` and ``fetch_open_orders`` form their requests without a network and
notes them, so that a reader can make exactly these and the guard can list them: nobody trusts
ccxt at run time to choose a path. A request gets into the table only if

- ``fetch_balance`` or ``fetch_open_orders`` makes it itself, not a helper that looks something up;
- ccxt cannot make it without a key: a public answer proves nothing about one;
- the same path and parameters come out for another key and another time;
- its path on the wire ends with the name of the endpoint: where one path serves every purpose
  and the body chooses (``/tapi``), a guard of paths cannot tell a read from a withdrawal;
- its method is GET or POST, and no word in its path sounds like a change.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from reconciler.live import light
from reconciler.live.endpoints import origins
from reconciler.model.desired import Market

#: ccxt's names of credentials and ours.
_FIELDS: Final = {"apiKey": "api_key", "secret": "secret", "password": "passphrase"}
#: What our markets are called in ccxt's ``defaultType``, and in its ``has``.
_TYPES: Final = {
    Market.SPOT: ("spot", ("spot",)),
    Market.MARGIN: ("margin", ("margin",)),
    Market.FUTURES: ("swap", ("swap", "future")),
}
_ASKS: Final = {"balance": "fetch_balance", "orders": "fetch_open_orders"}
#: The words by which the function that makes the request is known to be about the matter itself.
_ABOUT: Final = {"balance": "balance", "orders": "order"}
#: Names of what changes something. ``order`` and ``trade`` alone are names of what is read, too.
WRITING: Final = re.compile(
    r"withdraw|transfer|deposit|create|place|cancel|add|new|edit|amend|modify|update|delete|remove|(?<!as)set"
    r"|borrow|repay|convert|stake|redeem|send|pay|submit|close",
    re.IGNORECASE,
)
#: Made-up credentials in the forms that exchanges use: hexadecimal (also Base64), Base64 of 32 bytes.
_FORMS: Final = (
    {"apiKey": "account-" + "AB" * 12, "secret": "AB" * 16, "password": "AB" * 8},
    {"apiKey": "cdEF" * 8, "secret": "c2VjcmV0" * 5 + "MTI=", "password": "p-4711"},
)
_TIMES: Final = (1_700_000_000_000, 1_765_432_109_876)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as ccxt formed it. ``endpoint`` and ``api`` are ccxt's names for it."""

    method: str
    origin: str
    path: str
    endpoint: str
    api: tuple[str, ...]
    params: Mapping[str, Any]
    weight: float

    @property
    def readable(self) -> bool:
        """Whether a guard of methods and paths can tell it from everything that changes something."""
        own_path = self.path.strip("/").endswith(re.sub(r"\{[^}]*\}", "", self.endpoint).strip("/"))
        return own_path and self.method in {"GET", "POST"} and not WRITING.search(self.path)

    def described(self, name: str) -> dict[str, Any]:
        """Its entry in the table."""
        return {
            "name": name,
            "method": self.method,
            "path": self.path,
            "raw": [self.endpoint, list(self.api)],
            "params": dict(self.params),
            "weight": self.weight,
        }


class _Formed(Exception):
    """Raised in the place of sending: the request is formed, and that is all that was wanted."""

    def __init__(self, method: str, url: str) -> None:
        super().__init__(method)
        self.method = method
        self.url = url

    def maker(self) -> str:
        """The name of the function that asked for the request."""
        names, trace = [], self.__traceback__
        while trace is not None:
            names.append(trace.tb_frame.f_code.co_name)
            trace = trace.tb_next
        return names[names.index("request") - 1] if "request" in names[1:] else ""


async def requests(
    ccxt_id: str, ask: str, *, market: Market, credentials: Mapping[str, str], now_ms: int
) -> tuple[Request, ...]:
    """The requests that ccxt itself makes for ``ask`` (``balance`` or ``orders``), none of them sent."""
    made: Any = light.load(ccxt_id)({"enableRateLimit": False, "session": None, **credentials})
    made.options["defaultType"] = _TYPES[market][0]
    made.load_markets = _nothing
    made.markets = made.markets_by_id = made.currencies = made.currencies_by_id = {}
    made.milliseconds = lambda: now_ms
    made.microseconds, made.seconds = (lambda: now_ms * 1000), (lambda: now_ms // 1000)
    formed: list[tuple[str, tuple[str, ...], dict[str, Any], float, _Formed]] = []
    form = made.request

    async def request(
        path: str,
        api: Sequence[str] = ("public",),
        method: str = "GET",
        params: Mapping[str, Any] | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> object:
        asked, costs = dict(params or {}), config or {}
        try:
            return await form(path, api, method, asked, costs)
        except _Formed as end:
            formed.append((path, tuple(api), asked, float(costs.get("cost", 1)), end))
            raise

    async def fetch(url: str, method: str = "GET", headers: object = None, body: object = None) -> object:
        del headers, body
        raise _Formed(method, url)

    made.request, made.fetch = request, fetch
    with contextlib.suppress(Exception):  # what ccxt cannot form is simply not in the table
        await getattr(made, _ASKS[ask])()
    return tuple(_request(*each) for each in formed if _ABOUT[ask] in each[-1].maker())


def _request(
    endpoint: str, api: tuple[str, ...], params: Mapping[str, Any], weight: float, end: _Formed
) -> Request:
    parts = urlsplit(end.url)
    return Request(
        method=end.method,
        origin=f"{parts.scheme}://{parts.netloc}",
        path=parts.path,
        endpoint=endpoint,
        api=api,
        params=params,
        weight=weight,
    )


async def _nothing(*args: object, **kwargs: object) -> dict[str, object]:
    """In the place of ``load_markets``: no market is loaded, and none is missed."""
    del args, kwargs
    return {}


async def _readable(ccxt_id: str, ask: str, market: Market) -> Request | None:
    """The one request of ``ask`` that meets every condition of this module, or ``None``."""
    for form in _FORMS:
        first = await requests(ccxt_id, ask, market=market, credentials=form, now_ms=_TIMES[0])
        if first:
            break
    else:
        return None
    other = {"apiKey": form["apiKey"][:-2] + "cd", "secret": form["secret"], "password": "q-0815"}
    again = await requests(ccxt_id, ask, market=market, credentials=other, now_ms=_TIMES[1])
    public = await requests(ccxt_id, ask, market=market, credentials={}, now_ms=_TIMES[0])
    found = first[0]
    return found if again[:1] == first[:1] and found not in public and found.readable else None


async def describe(ccxt_id: str) -> dict[str, Any]:
    """The table's entry of one exchange: how to read it, or ``refused``, why it cannot be read."""
    kind: Any = light.load(ccxt_id)
    made: Any = kind({"enableRateLimit": False, "session": None})
    entry: dict[str, Any] = {"name": str(made.name)}
    same = _same_as(kind, made)
    if same:
        return entry | {"refused": f"it is {same} under another name: write `{same}`"}
    needed = [name for name, wanted in made.requiredCredentials.items() if wanted]
    if not {"apiKey", "secret"} <= set(needed) <= set(_FIELDS):
        return entry | {"refused": f"it signs with {', '.join(needed) or 'no key'}, which is not supported"}
    markets = {m: await _market(ccxt_id, m) for m in Market if any(made.has.get(h) for h in _TYPES[m][1])}
    calls, plan = _named(markets)
    if not any("balance" in asked for asked in plan.values()):
        return entry | {"refused": "ccxt has no single signed read of its balance that the guard could list"}
    rate = round(1000 / made.rateLimit, 6)
    fields = [_FIELDS[name] for name in _FIELDS if name in needed]
    return entry | {"credentials": fields, "per_second": rate, "calls": calls, "markets": plan}


def _same_as(kind: Any, made: Any) -> str | None:  # noqa: ANN401 - a class of ccxt, which has no types
    """The exchange that this one is a second name of: ccxt derives it, and every host is the same."""
    parent = kind.__mro__[1]
    if parent.__name__ not in light.package().exchanges:
        return None
    ours, theirs = (origins(each.urls, each.hostname) for each in (made, parent({"session": None})))
    return parent.__name__ if made.alias or ours <= theirs else None


async def _market(ccxt_id: str, market: Market) -> dict[str, Request]:
    found = {ask: await _readable(ccxt_id, ask, market) for ask in _ASKS}
    return {ask: request for ask, request in found.items() if request is not None}


def _named(markets: Mapping[Market, Mapping[str, Request]]) -> tuple[list[Any], dict[str, dict[str, str]]]:
    """Every request once, with a name; and for each market the names of what it asks.

    ccxt reads some balances of the spot wallet whatever the market. Such a balance counts in
    another market only where open orders are one list for both, as in an account for everything.
    """
    spot = markets.get(Market.SPOT, {})
    names: dict[str, Request] = {}
    plan: dict[str, dict[str, str]] = {}
    for market, asked in markets.items():
        plan[market.value] = {}
        for ask, request in asked.items():
            of_spot = market is not Market.SPOT and request == spot.get(ask)
            if ask == "balance" and of_spot and not _one_list(spot, asked):
                continue
            same = next((name for name, known in names.items() if known == request), None)
            name = same or (ask if ask not in names else f"{ask}-{market.value}")
            names[name] = request
            plan[market.value][ask] = name
    return [request.described(name) for name, request in names.items()], plan


def _one_list(spot: Mapping[str, Request], asked: Mapping[str, Request]) -> bool:
    return "orders" in asked and asked.get("orders") == spot.get("orders")


async def table(ids: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """The entries of ``ids``, or of every exchange that the installed ccxt knows."""
    return {ccxt_id: await describe(ccxt_id) for ccxt_id in sorted(ids or light.package().exchanges)}


def render(entries: Mapping[str, Mapping[str, Any]]) -> str:
    """The table as JSON, a line for each exchange, so that a new ccxt shows as a readable diff."""
    lines = (f" {json.dumps(ccxt_id)}: {json.dumps(entry)}" for ccxt_id, entry in sorted(entries.items()))
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    sys.stdout.write(render(asyncio.run(table())))
