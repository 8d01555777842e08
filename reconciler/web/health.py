"""``/healthz`` and ``/readyz``: a loop's own word, for who restarts it and for who relies on it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from reconciler.engine.health import Health
from reconciler.web.server import Answer, Routes

_OK: Final = 200
_UNAVAILABLE: Final = 503


def health_routes(health: Health) -> Routes:
    """Liveness: restart it when this fails. Readiness: a person should look, and a restart helps nothing."""

    def alive() -> Answer:
        why = () if health.alive else (f"stuck for {health.overdue:.0f} s",)
        return _answer(health, ok=not why, why=why)

    def ready() -> Answer:
        why = health.unready()
        return _answer(health, ok=not why, why=why)

    return {"/healthz": alive, "/readyz": ready}


def _answer(health: Health, *, ok: bool, why: tuple[str, ...]) -> Answer:
    since = health.since_pass
    body: Mapping[str, Any] = {
        "status": "ok" if ok else "unavailable",
        "why": list(why),
        "passes": health.passes,
        "last_exit_code": health.last_exit_code,
        "seconds_since_pass": None if since is None else round(since, 1),
        "faults": health.crashes,
    }
    return Answer(status=_OK if ok else _UNAVAILABLE, body=json.dumps(body) + "\n")
