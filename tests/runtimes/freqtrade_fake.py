"""A freqtrade that answers as a real one of 2026.9 was heard to, in milliseconds instead of seconds.

``recorded/freqtrade-2026.9.json`` holds a real bot's answers; what its acts do to its state is
``freqtrade/rpc/rpc.py``. ``test_freqtrade_real.py`` runs the real one.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

from aiohttp import web

RECORDED = json.loads((Path(__file__).parent / "recorded" / "freqtrade-2026.9.json").read_text())
ACTS = ("start", "stop", "pause", "reload_config")
PAUSED = {"status": "paused, no more entries will occur from now. Run /start to enable entries."}


class FakeFreqtrade:
    """One bot. ``state`` is what it was asked to do; ``acts`` what it was told, in order.

    ``loops``: whether its loop comes round while it runs or is paused. ``reloads`` counts the looks for
    which a reload still lasts; ``forgets`` the logins whose tokens it no longer takes.
    """

    def __init__(self, username: str = "ft", password: str = "pw") -> None:
        self.login = (username, password)
        self.config = dict(RECORDED["GET /show_config"])
        self.version = "2026.9"
        self.state = "stopped"
        self.initial_state = "stopped"
        self.reloads = 0
        self.loops = True
        self.process = 0
        self.whitelist = list(RECORDED["GET /whitelist"]["whitelist"])
        self.trades = [dict(trade) for trade in RECORDED["GET /status"]]
        self.acts: list[str] = []
        self.logins = 0
        self.refreshes = 0
        self.valid: set[str] = set()
        self.refreshable = True

    async def handle(self, request: web.Request) -> web.Response:
        path = request.path.removeprefix("/api/v1")
        call = f"{request.method} {path}"
        if call == "POST /token/login":
            return self._log_in(request)
        if call == "POST /token/refresh":
            return self._refresh(request)
        if not self._known(request):
            return web.json_response({"detail": "Could not validate credentials"}, status=401)
        answer = self._answer(call)
        if answer is None:
            return web.json_response({"detail": "Not Found"}, status=404)
        return web.json_response(answer)

    def _answer(self, call):
        answers = {
            "GET /version": lambda: {"version": self.version},
            "GET /show_config": lambda: {**self.config, "state": self._state()},
            "GET /health": lambda: {"last_process": None, "last_process_ts": self._processed()},
            "GET /whitelist": lambda: {"whitelist": self.whitelist, "length": len(self.whitelist)},
            "GET /status": lambda: self.trades,
            **{f"POST /{name}": lambda name=name: self._act(name) for name in ACTS},
        }
        return answers[call]() if call in answers else None

    def _act(self, name: str):
        self.acts.append(name)
        if name == "reload_config":
            self.reloads = 3
            return {"status": "Reloading config ..."}
        if self.reloads:
            return PAUSED  # swallowed: rpc.py sets a state that the new bot never sees
        before, self.state = self.state, {"start": "running", "stop": "stopped", "pause": "paused"}[name]
        return {"status": f"was {before}"}

    def _state(self) -> str:
        if self.reloads:
            self.reloads -= 1
            if not self.reloads:
                self.state = self.initial_state
            return "reload_config"
        return self.state

    def _processed(self) -> int | None:
        if self.loops and self.state in ("running", "paused"):
            self.process += 1
        return 1_795_616_000 + self.process if self.process else None

    def _log_in(self, request: web.Request) -> web.Response:
        basic = base64.b64encode(":".join(self.login).encode()).decode()
        if request.headers.get("Authorization") != f"Basic {basic}":
            return web.json_response({"detail": "Incorrect username or password"}, status=401)
        self.logins += 1
        return web.json_response({"access_token": self._issue(), "refresh_token": "refresh.token"})

    def _refresh(self, request: web.Request) -> web.Response:
        if not self.refreshable or request.headers.get("Authorization") != "Bearer refresh.token":
            return web.json_response({"detail": "Could not validate credentials"}, status=401)
        self.refreshes += 1
        return web.json_response({"access_token": self._issue()})

    def _issue(self) -> str:
        token = f"access.{self.logins}.{self.refreshes}"
        self.valid = {token}
        return token

    def _known(self, request: web.Request) -> bool:
        return request.headers.get("Authorization", "").removeprefix("Bearer ") in self.valid
