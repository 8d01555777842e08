"""The calls of hummingbot-api that this tool makes, and what their answers say.

Read in the source of https://github.com/hummingbot/hummingbot-api at ee7ce5c (2026-06-29, version 1.0.1):
``routers/bot_orchestration.py``, ``routers/docker.py``, ``routers/controllers.py`` and the services behind
them. An outer ``"status": "success"`` says nothing there, and neither does the HTTP status.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from reconciler.model.errors import RuntimeFailed
from reconciler.model.runtime_kinds import RuntimeFailureKind as Kind
from reconciler.model.secret import Secret
from reconciler.runtimes.failing import failed
from reconciler.runtimes.fields import LONGEST, Fields
from reconciler.runtimes.http import Http, Json

Config: TypeAlias = Mapping[str, Any]
"""What one file of a controller says, as the bot's folder on the server has it."""

#: The first version that tells its version, and whose calls are as this module knows them (July 2025).
OLDEST: Final = (1, 0)

#: Seconds that Docker gives a container to end; the call, and the whole API meanwhile, waits for it.
CONTAINER_SECONDS: Final = 15.0

_VERSION: Final = re.compile(r"(\d+)\.(\d+)(?:\.\d+)?")
_IMAGE: Final = re.compile(r".+/hummingbot:")
_MISSING: Final = 404
_BROKEN: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container that runs, or has ended. Another of the same name has another ``id``."""

    id: str
    running: bool
    image: str

    @property
    def is_bot(self) -> bool:
        """Whether the API itself would take it for a Hummingbot."""
        return _IMAGE.match(self.image) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """All containers by name, and the names of all bots of which the API knows by Docker or by messages."""

    containers: Mapping[str, Container]
    active: frozenset[str]

    @property
    def bots(self) -> frozenset[str]:
        """Every bot that may run."""
        up = (name for name, one in self.containers.items() if one.is_bot and one.running)
        return self.active | frozenset(up)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the API last heard from a bot.

    ``heard``: anything, within 30 seconds. ``controllers`` holds the last performance of each controller
    by its id: a strategy that runs sends figures every second, and as its last word empty ones
    (``StrategyV2Base.on_stop``).
    """

    status: str
    heard: bool = False
    controllers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        """Whether the API knows of such a bot now."""
        return self.status != "not_found"

    @property
    def runs(self) -> bool | None:
        """Whether its strategy runs. ``None`` where nothing was heard of it: the API says "stopped" then."""
        return any(self.controllers.values()) if self.status == "running" else None


#: In place of a report that could not be had: the bot may do anything.
SILENT: Final = Report(status="silent")


class Api:
    """One hummingbot-api. Every call carries user name and password, as it keeps no session."""

    def __init__(self, url: str, credentials: Mapping[str, Secret], *, timeout: float) -> None:
        self._http = Http(url, timeout=timeout)
        self._patient = Http(url, timeout=timeout + CONTAINER_SECONDS)
        self._credentials = credentials

    async def identify(self) -> None:
        """Return where a hummingbot-api answers, of a version that this tool knows.

        It asks for no login there, but a proxy before it may.
        """
        root = Fields.of("GET /", await self._http.get("/", headers=self._login()))
        if root.text("name") != "Hummingbot API":
            root.refuse("is none of a Hummingbot API")
        found = _VERSION.match(root.text("version"))
        if found is None or (int(found[1]), int(found[2])) < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            raise failed(
                Kind.WRONG_VERSION, f"this Hummingbot API is older than {oldest}, or tells no version"
            )

    async def overview(self) -> Overview:
        """What there is, by name."""
        known, up, ended = await asyncio.gather(
            self._get("/bot-orchestration/mqtt"),
            self._get("/docker/active-containers"),
            self._get("/docker/exited-containers"),
        )
        active = _object("GET /bot-orchestration/mqtt", known, "data").answer.get("active_bots")
        if not isinstance(active, list) or not all(isinstance(one, str) for one in active):
            Fields("GET /bot-orchestration/mqtt", {}).refuse("has no list of texts `active_bots`")
        return Overview(
            containers={
                **_containers("GET /docker/exited-containers", ended, running=False),
                **_containers("GET /docker/active-containers", up, running=True),
            },
            active=frozenset(active),
        )

    async def report(self, bot: str) -> Report:
        """What was last heard from ``bot``."""
        path = f"/bot-orchestration/{bot}/status"
        data = _object(f"GET {path}", await self._get(path), "data")
        told = _object(data.call, data.answer, "performance").answer if "performance" in data.answer else {}
        return Report(
            status=data.text("status"),
            heard=data.flag("recently_active", default=False),
            controllers={name: _figures(one) for name, one in told.items()},
        )

    async def configs(self, bot: str) -> tuple[Config, ...] | None:
        """The files of its controllers: none for a plain script; ``None`` where they cannot be read."""
        path = f"/controllers/bots/{bot}/configs"
        try:
            told = await self._http.get(path, headers=self._login(), answers=(_MISSING,))
        except RuntimeFailed as error:
            if error.status == _BROKEN:  # a file that is no YAML
                return None
            raise
        if isinstance(told, list):
            return tuple(Fields.of(f"GET {path}", one).answer for one in told)
        if Fields.of(f"GET {path}", told).text("detail", most=500).startswith("Bot "):
            return ()
        raise _unknown_call(path)

    async def stop_bot(self, bot: str) -> bool:
        """Have the bot told to wind down; whether that was passed on to it, which it may not have heard.

        Its orders are cancelled: one that is left on the book would still be filled, with nobody to
        look after it. In the background of the bot, which else breaks off its winding down after 30 seconds.
        """
        body = {"bot_name": bot, "skip_order_cancellation": False, "async_backend": True}
        answer = await self._act("/bot-orchestration/stop-bot", body)
        told = _object("POST /bot-orchestration/stop-bot", answer, "response", untouched=False)
        return told.flag("success")

    async def start_container(self, name: str) -> None:
        """Start it; nothing where it runs. The bot in it starts the strategy that it was deployed with."""
        _require_none(await self._act(f"/docker/start-container/{name}"), "start")

    async def stop_container(self, name: str) -> None:
        """End it; nothing where it has ended. What is in it is killed after ten seconds."""
        _require_none(await self._act(f"/docker/stop-container/{name}"), "stop")

    async def set_kill_switch(self, bot: str, controller: str, *, on: bool) -> None:
        """Write ``manual_kill_switch``, and nothing else, into the file of a controller."""
        await self._act(f"/controllers/bots/{bot}/{controller}/config", {"manual_kill_switch": on})

    async def close(self) -> None:
        """Let go of the connections."""
        await asyncio.gather(self._http.close(), self._patient.close())

    async def _get(self, path: str) -> Json:
        try:
            return await self._http.get(path, headers=self._login())
        except RuntimeFailed as error:
            if error.status == _MISSING:
                raise _unknown_call(path) from None
            raise

    async def _act(self, path: str, body: Json = None) -> Json:
        return await self._patient.send("POST", path, body=body, headers=self._login())

    def _login(self) -> dict[str, str]:
        both = ":".join(self._credentials[name].reveal() for name in ("username", "password"))
        return {"Authorization": f"Basic {base64.b64encode(both.encode()).decode()}"}


def _object(call: str, answer: Json, name: str, *, untouched: bool = True) -> Fields:
    """The object in the field ``name``."""
    return Fields.of(call, Fields.of(call, answer, untouched=untouched).answer.get(name), untouched=untouched)


def _figures(controller: Json) -> Mapping[str, Any]:
    """What a controller sent of itself. Of another shape it counts as some: a strategy sent it that runs."""
    told = controller.get("performance") if isinstance(controller, Mapping) else controller
    return told if isinstance(told, Mapping) else {"?": told}


def _containers(call: str, told: Json, *, running: bool) -> dict[str, Container]:
    if isinstance(told, str):  # 200, with Docker's trouble as its text
        raise failed(Kind.REFUSED, f"{call}: the server cannot reach its Docker")
    if not isinstance(told, list):
        Fields(call, {}).refuse("is no list")
    found = {}
    for one in (Fields.of(call, item) for item in told):
        container = Container(id=one.text("id"), running=running, image=one.text("image", most=4 * LONGEST))
        found[one.text("name")] = container
    return found


def _require_none(answer: Json, what: str) -> None:
    if answer is not None:  # 200, with Docker's trouble as its text
        raise failed(Kind.REFUSED, f"Docker on the server would not {what} the container", untouched=False)


def _unknown_call(path: str) -> RuntimeFailed:
    return failed(Kind.WRONG_VERSION, f"this Hummingbot API does not know GET {path}")
