"""3Commas as far as the driver may go: its paths, its signatures, its refusals and its limits.

Built from https://github.com/3commas-io/3commas-official-api-docs at 0a55695 (2026-05): fields and paths from
``docs/dca-bot``, ``docs/dca-bot/deals`` and ``docs/account``; signatures, permissions, errors and limits from
``docs/quick-start``. The two worlds and ``Forced-Mode`` are from its README until 2024-07, and what the wrong
one hides from its issues 44, 47 and 120; the error of an unknown key from MarcDrexler/3Commas.BulkEditor#9.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections import deque
from typing import Any

from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

BASE = "/public/api"
GRANTED = frozenset({"BOTS_READ", "BOTS_WRITE", "ACCOUNTS_READ"})
BOT, ACCOUNT, PAPER = 15518453, 32833909, 32199203

Json = dict[str, Any]


def account(id_: int = ACCOUNT, **more: Any) -> Json:
    """An exchange account, sound unless ``more`` says otherwise."""
    return {
        "id": id_, "name": "My Binance", "exchange_name": "Binance Spot", "market_code": "binance",
        "supported_market_types": ["spot"], "is_locked": False, "lock_reason": None, "bots_allowed": True,
        "api_key_invalid": False, "api_keys_state": "ok", "hedge_mode_enabled": False,
        "usd_amount": "32.94603614574163795274108884401249103264815794282912",
    } | more  # fmt: skip


def bot(id_: int = BOT, **more: Any) -> Json:
    """A DCA bot that is off: 20 at first, then 20, 30 and 45 USDT, in each of two deals."""
    return {
        "id": id_, "account_id": ACCOUNT, "account_name": "My Binance", "is_enabled": False,
        "name": "BTC ETH Classic", "strategy": "long", "pairs": ["USDT_BTC", "USDT_ETH"],
        "type": "Bot::MultiBot", "strategy_list": [{"strategy": "rsi", "options": {"points": 30}}],
        "max_active_deals": 2, "active_deals_count": 0, "max_safety_orders": 3,
        "active_safety_orders_count": 1, "base_order_volume": "20.0", "safety_order_volume": "20.0",
        "base_order_volume_type": "quote_currency", "safety_order_volume_type": "quote_currency",
        "safety_order_step_percentage": "2.0", "martingale_volume_coefficient": "1.5",
        "martingale_step_coefficient": "1.0", "take_profit": "2.0", "stop_loss_percentage": "0.0",
        "reinvesting_percentage": None, "leverage_type": "not_specified", "trailing_enabled": None,
        "created_at": "2024-10-11T18:34:01.647Z", "deletable?": True,
    } | more  # fmt: skip


class Fake3Commas:
    """One user. ``acts`` is what was told to bots, in order; ``asked`` every request that was let in.

    ``public`` is the key that verifies signatures of a self-generated token. ``drops``: orders are taken
    and not followed.
    """

    def __init__(self, api_key: str = "key", secret: str = "secret") -> None:
        self.api_key, self.secret = api_key, secret
        self.public: Any = None
        self.granted = GRANTED
        self.accounts = {ACCOUNT: account()}
        self.bots = {BOT: bot()}
        self.deals: list[Json] = []
        self.acts: list[str] = []
        self.asked: list[str] = []
        self.limit = 100
        self.drops = False
        self.now = 0.0
        self.restricted = self.banned = 0.0
        self._times: deque[float] = deque()

    def start_deal(self, pair: str, id_: int = BOT) -> None:
        self.deals.append(
            {"id": 2294267644 + len(self.deals), "bot_id": id_, "pair": pair, "status": "bought"}
        )
        self.bots[id_]["active_deals_count"] += 1

    async def handle(self, request: web.Request) -> web.Response:
        return self._limited() or self._unknown(request) or self._routed(request)

    def _limited(self) -> web.Response | None:
        """429 over the limit, for five minutes; 418 for who goes on."""
        if self.now < self.banned:
            return web.Response(status=418)
        if self.now < self.restricted:
            self.banned = self.now + 120
            return web.Response(status=418)
        self._times.append(self.now)
        while self._times[0] <= self.now - 60:
            self._times.popleft()
        if len(self._times) > self.limit:
            self.restricted = self.now + 300
            return web.Response(status=429, text="Too Many Requests")
        return None

    def _unknown(self, request: web.Request) -> web.Response | None:
        if request.headers.get("Apikey") != self.api_key:
            what = "Unauthorized. Invalid or expired api key."
            return _error(401, "api_key_invalid_or_expired", what)
        if not self._signed(request):
            return _error(401, "signature_invalid", "Provided signature is invalid")
        return None

    def _signed(self, request: web.Request) -> bool:
        """Over the path with its query; no request of ours has a body."""
        payload, given = request.raw_path.encode(), request.headers.get("Signature", "")
        if self.public is None:
            made = hmac.new(self.secret.encode(), payload, hashlib.sha256).hexdigest()
            return hmac.compare_digest(made, given.lower())
        try:
            self.public.verify(base64.b64decode(given), payload, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True

    def _routed(self, request: web.Request) -> web.Response:
        call = f"{request.method} {request.path.removeprefix(BASE)}"
        mode = request.headers.get("Forced-Mode", "real")
        for pattern, permission, answer in (
            (r"GET /ver1/bots", "BOTS_READ", self._bots),
            (r"GET /ver1/bots/(\d+)/show", "BOTS_READ", self._bot),
            (r"GET /ver1/deals", "BOTS_READ", self._deals),
            (r"GET /ver1/accounts/(\d+)", "ACCOUNTS_READ", self._account),
            (r"POST /ver1/bots/(\d+)/(enable|disable)", "BOTS_WRITE", self._act),
        ):
            found = re.fullmatch(pattern, call)
            if found and request.path.startswith(BASE):
                self.asked.append(call)
                if permission not in self.granted:
                    return _error(403, "Forbidden", "Api key not authorized for this action")
                return answer(request, mode, *found.groups())
        return web.Response(status=404, text="<h1>Not Found</h1>", content_type="text/html")

    def _in(self, mode: str, account_id: int) -> bool:
        pretends = self.accounts.get(account_id, {}).get("market_code") == "paper_trading"
        return pretends == (mode == "paper")

    def _bots(self, request, mode):
        found = sorted((one for one in self.bots.values() if self._in(mode, one["account_id"])), key=_born)
        return _page(request, found, most=100, ascending=request.query.get("order_direction") == "ASC")

    def _bot(self, request, mode, id_):
        if request.query.get("include_events") not in ("true", "false"):
            return _error(400, "record_invalid", "Invalid parameters")
        one = self.bots.get(int(id_))
        if one is None or not self._in(mode, one["account_id"]):
            return web.json_response({"error": "Not found"}, status=404)
        return web.json_response(one)

    def _deals(self, request, mode):
        assert request.query["scope"] == "active"
        return _page(request, [one for one in self.deals if self._in(mode, self._account_of(one))], most=1000)

    def _account_of(self, deal: Json) -> int:
        return self.bots[deal["bot_id"]]["account_id"]

    def _account(self, request, mode, id_):
        del request
        one = self.accounts.get(int(id_))
        if one is None or not self._in(mode, one["id"]):
            return _error(404, "not_found", "Not Found")
        return web.json_response(one, status=201)

    def _act(self, request, mode, id_, what):
        del request
        one = self.bots.get(int(id_))
        if one is None or not self._in(mode, one["account_id"]):
            return web.json_response({"error": "Not found"}, status=404)
        self.acts.append(f"{what} {id_}")
        if not self.drops:
            one["is_enabled"] = what == "enable"
        return web.json_response(one, status=201)


def _page(request: web.Request, found: list[Json], *, most: int, ascending: bool = True) -> web.Response:
    limit, offset = (int(request.query.get(name, 50 * (name == "limit"))) for name in ("limit", "offset"))
    assert limit <= most
    ordered = found if ascending else found[::-1]
    return web.json_response(ordered[offset : offset + limit])


def _born(one: Json) -> tuple[str, int]:
    return one["created_at"], one["id"]


def _error(status: int, error: str, description: str) -> web.Response:
    return web.json_response({"error": error, "error_description": description}, status=status)
