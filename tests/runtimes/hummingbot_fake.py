"""A hummingbot-api of which time passes only where the driver waits.

Its calls, answers and traps are those of https://github.com/hummingbot/hummingbot-api at ee7ce5c (June 2026):
``main.py`` (root, login), ``routers/bot_orchestration.py`` and ``services/bots_orchestrator.py`` (status,
stop-bot, start-bot, mqtt), ``utils/mqtt_manager.py`` (what it remembers of messages), ``routers/docker.py``
and ``services/docker_service.py`` (containers), ``routers/controllers.py`` (files of controllers). What a bot
does is ``hummingbot/strategy/strategy_v2_base.py`` and ``bots/scripts/v2_with_controllers.py``: figures every
second, empty ones as its last word, files of controllers read every ten seconds; and of
``remote_iface/mqtt.py`` that a start with ``script`` fails from Hummingbot 2.13 on, which nobody is told.
"""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

FIGURES = {"realized_pnl_quote": 0, "unrealized_pnl_quote": 0.5, "positions_summary": []}
PMM = {
    "id": "pmm-btc", "controller_name": "pmm_simple", "controller_type": "market_making",
    "connector_name": "binance", "trading_pair": "BTC-USDT", "total_amount_quote": "200",
    "manual_kill_switch": False, "candles_config": [],
}  # fmt: skip
#: Seconds: for which a bot counts as heard, to cancel orders, and between two looks at its files.
RECENTLY, CANCELS, READS_FILES = 30, 20, 10
IMAGE = "hummingbot/hummingbot:latest"


@dataclass
class FakeBot:
    """A container with a Hummingbot in it, and its folder on the server.

    ``files`` are its controllers, by name of file; ``None``: it has no such folder. ``boot`` and ``winds``
    are the seconds until its strategy runs, and from a stop to its last word. ``talks``: the broker has its
    messages; ``obeys``: it follows a stop; ``starts``: its strategy does, else its connectors are never
    ready; ``dies``: its process ends at once; ``sturdy``: its container does not end. ``active`` are the
    controllers that trade; ``left``: it was killed with orders on the book; ``elsewhere``: it is no
    container here.
    """

    name: str
    files: dict[str, dict[str, Any]] | None = field(default_factory=dict)
    container: str | None = "exited"
    id: str = "c0ffee"
    image: str = IMAGE
    boot: float = 0
    winds: float = 0
    talks: bool = True
    obeys: bool = True
    starts: bool = True
    dies: bool = False
    sturdy: bool = False
    on: bool = False
    boots_at: float | None = None
    winding: float | None = None
    cancelled: float = 0
    files_read: float = 0
    active: set[str] = field(default_factory=set)
    positions: list[dict[str, Any]] = field(default_factory=list)
    left: bool = False
    elsewhere: bool = False

    @property
    def process(self) -> bool:
        return self.container == "running" or self.elsewhere


class FakeHummingbot:
    """The server. ``acts`` is what it was told, in order; ``now`` its time, in seconds.

    ``ending`` counts the containers that Docker is ending now, and ``most_ending`` how many at once it was.
    """

    def __init__(self, password: str = "pw") -> None:
        self.login = ("hb", password)
        self.version: Any = "1.0.1"
        self.name = "Hummingbot API"
        self.bots: dict[str, FakeBot] = {}
        self.acts: list[str] = []
        self.bodies: list[Any] = []
        self.asked: list[str] = []
        self.now = 1_000.0
        self.broker = True
        self.docker: str | None = None
        self.broken: dict[str, int] = {}
        self.heard: dict[str, float] = {}
        self.figures: dict[str, dict[str, Any]] = {}
        self.override: dict[str, Any] = {}
        self.ending = self.most_ending = 0

    def add(self, name: str, **more: Any) -> FakeBot:
        bot = self.bots[name] = FakeBot(name, **more)
        return bot

    def run(self, bot: FakeBot) -> None:
        """As after somebody's ``docker start``: it boots, and its strategy with it."""
        bot.container, bot.on, bot.winding, bot.boots_at = "running", False, None, self.now + bot.boot
        self._settle()

    def end(self, bot: FakeBot) -> None:
        """As after ``docker stop``: what is in it is killed."""
        bot.left = bot.left or bot.on or self.now < bot.cancelled
        bot.container, bot.on, bot.boots_at, bot.winding = "exited", False, None, None

    def wind_down(self, bot: FakeBot) -> None:
        """As after a stop command that the bot got."""
        if bot.obeys and bot.on:
            bot.winding = self.now + bot.winds

    def tick(self, seconds: float) -> None:
        for _ in range(round(seconds)):
            self.now += 1
            self._settle()

    def act(self, path: str) -> None:
        self.acts.append(path)

    def restart(self) -> None:
        """The API starts anew, and has heard nothing yet."""
        self.heard.clear()
        self.figures.clear()

    def _settle(self) -> None:
        """What bots did and sent up to now, and what the API forgot of those that are gone."""
        for bot in self.bots.values():
            if bot.process and bot.boots_at is not None and self.now >= bot.boots_at:
                self._booted(bot)
            if bot.process and bot.talks and self.broker and bot.boots_at is None:
                self.heard[bot.name] = self.now
            if bot.on and bot.winding is None and bot.process:
                self._works(bot)
            if bot.winding is not None and self.now >= bot.winding:
                bot.on, bot.winding, bot.cancelled = False, None, self.now + CANCELS
                self._send(bot, {one["id"]: {} for one in (bot.files or {}).values()})
        for name in [one for one in {*self.heard, *self.figures} if one not in self.active_bots]:
            self.heard.pop(name, None)
            self.figures.pop(name, None)

    def _booted(self, bot: FakeBot) -> None:
        bot.boots_at, bot.on, bot.files_read = None, bot.starts, self.now
        bot.active = {name for name, one in (bot.files or {}).items() if not one.get("manual_kill_switch")}
        if bot.dies:
            self.end(bot)

    def _works(self, bot: FakeBot) -> None:
        if self.now >= bot.files_read + READS_FILES:
            bot.files_read = self.now
            bot.active = {n for n, one in (bot.files or {}).items() if not one.get("manual_kill_switch")}
        figures = {**FIGURES, "positions_summary": bot.positions}
        self._send(
            bot,
            {one["id"]: {"performance": figures, "custom_info": {}} for one in (bot.files or {}).values()},
        )

    def _send(self, bot: FakeBot, reports: dict[str, Any]) -> None:
        if bot.talks and self.broker:
            self.figures.setdefault(bot.name, {}).update(reports)

    @property
    def active_bots(self) -> list[str]:
        docker = [
            one.name
            for one in self.bots.values()
            if one.container == "running" and "/hummingbot:" in one.image
        ]
        recent = [name for name, at in self.heard.items() if self.now - at < RECENTLY]
        return sorted({*docker, *recent})

    async def handle(self, request: web.Request) -> web.Response:
        self._settle()
        call = f"{request.method} {request.path}"
        self.asked.append(call)
        if call == "GET /":
            return web.json_response({"name": self.name, "version": self.version, "status": "running"})
        basic = base64.b64encode(":".join(self.login).encode()).decode()
        if request.headers.get("Authorization") != f"Basic {basic}":
            return web.json_response({"detail": "Incorrect username or password"}, status=401)
        if call in self.broken:
            return web.json_response({"detail": "Internal Server Error"}, status=self.broken[call])
        if call in self.override:
            return web.json_response(self.override[call])
        if request.method == "POST":
            self.act(request.path)
            self.bodies.append(await request.json() if request.can_read_body else None)
        if request.path.startswith("/docker/stop-container/"):
            await self._take_time_to_end()
        return self._answer(request.method, request.path.split("/")[1:], self.bodies[-1:])

    async def _take_time_to_end(self) -> None:
        self.ending += 1
        self.most_ending = max(self.ending, self.most_ending)
        for _ in range(50):
            await asyncio.sleep(0)
        self.ending -= 1

    def _answer(self, method: str, path: list[str], bodies: list[Any]) -> web.Response:
        match method, path:
            case "GET", ["controllers", "bots", name, "configs"]:
                return self._configs(name)
            case "POST", ["controllers", "bots", name, controller, "config"]:
                return self._update(name, controller, bodies[0])
            case "GET", ["bot-orchestration", "mqtt"]:
                answer = {"data": {"mqtt_connected": self.broker, "active_bots": self.active_bots}}
            case "GET", ["bot-orchestration", name, "status"]:
                answer = {"data": self._status(name)}
            case "GET", ["docker", "active-containers" | "exited-containers" as what]:
                return web.json_response(self.docker or self._containers(what))
            case "POST", ["docker", "start-container" | "stop-container" as what, name]:
                return web.json_response(self._container(what, name))
            case "POST", ["bot-orchestration", "stop-bot" | "start-bot" as what]:
                answer = {"response": self._command(what, bodies[0])}
            case _:
                return web.json_response({"detail": "Not Found"}, status=404)
        return web.json_response({"status": "success", **answer})

    def _status(self, name: str) -> dict[str, Any]:
        if name not in self.active_bots:
            return {"status": "not_found", "error": f"Bot {name} not found"}
        performance = {
            id_: {
                "status": "running",
                "performance": report.get("performance", {}) if "performance" in report else report,
                "custom_info": report.get("custom_info", {}),
            }
            for id_, report in self.figures.get(name, {}).items()
        }
        recent = self.now - self.heard.get(name, 0) < RECENTLY
        status = ("running" if recent else "idle") if performance else "stopped"
        return {
            "status": status, "performance": performance, "error_logs": [], "general_logs": [],
            "recently_active": recent,
        }  # fmt: skip

    def _containers(self, what: str) -> list[dict[str, str]]:
        wanted = "running" if what.startswith("active") else "exited"
        return [
            {"id": one.id, "name": one.name, "status": wanted, "image": one.image}
            for one in self.bots.values()
            if one.container == wanted
        ]

    def _container(self, what: str, name: str) -> str | None:
        bot = self.bots.get(name)
        if self.docker or bot is None or bot.container is None:
            return self.docker or f'404 Client Error: Not Found ("No such container: {name}")'
        if what.startswith("start") and bot.container != "running":
            self.run(bot)
        elif what.startswith("stop") and bot.container == "running" and not bot.sturdy:
            self.end(bot)
        return None

    def _command(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        name = body["bot_name"]
        if name not in self.active_bots:
            return {"success": False, "message": f"Bot {name} not found"}
        if not self.broker:
            return {"success": False}
        if what == "stop-bot":
            if name in self.bots and self.bots[name].talks:
                self.wind_down(self.bots[name])
            self.figures.pop(name, None)
        return {"success": True}

    def _configs(self, name: str) -> web.Response:
        files = self.bots[name].files if name in self.bots else None
        if files is None:
            return web.json_response({"detail": f"Bot '{name}' not found"}, status=404)
        return web.json_response([{**one, "_config_name": file} for file, one in files.items()])

    def _update(self, name: str, controller: str, body: dict[str, Any]) -> web.Response:
        files = (self.bots[name].files if name in self.bots else None) or {}
        if controller not in files:
            detail = f"Controller configuration '{controller}' not found for bot '{name}'"
            return web.json_response({"detail": detail}, status=404)
        files[controller].update(body)
        return web.json_response({"message": "updated successfully"})
