"""Any system that takes signed requests: one url, to which everything is posted.

Each request carries an id and a time under its signature (Standard Webhooks), so that the receiver can
refuse one that somebody recorded and sends again, and the fencing token, so that it can refuse an older
applier.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

from reconciler.model.desired import OnDisable
from reconciler.model.runtime_kinds import RuntimeFailureKind as Kind
from reconciler.model.taking import EVERYTHING
from reconciler.runtimes.contract import OBSERVE, Told
from reconciler.runtimes.failing import failed
from reconciler.runtimes.http import Http, attempts
from reconciler.runtimes.interface import Opening, RuntimeType
from reconciler.signing import FORM, MAKE_ONE, signed_headers, sound


class Webhook(Told):
    """One receiver. ``clock`` gives seconds since 1970, for the signatures."""

    def __init__(self, opening: Opening, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(opening.spec.id, self._sent)
        self._http = Http(opening.spec.url or "", timeout=opening.timeout)
        self._secret = opening.credentials["secret"]
        self._clock = clock

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.close()

    async def _sent(self, action: str, body: bytes) -> Any:  # noqa: ANN401 - JSON
        """The answer. An act is sent exactly once; observing, which changes nothing, up to three times."""
        if not sound(self._secret):
            raise failed(
                Kind.LOCKED,
                f"the secret of {self._runtime} is not {FORM}",
                hint=f"{MAKE_ONE}; then sops edit",
            )
        if action != OBSERVE:
            return await self._post(action, body)
        async for attempt in attempts():
            with attempt:
                return await self._post(action, body)
        raise AssertionError("an attempt either returns or raises")

    async def _post(self, action: str, body: bytes) -> Any:  # noqa: ANN401 - JSON
        """Every request is a new one, with an id of its own: one that is sent again would be a replay."""
        headers = signed_headers(self._secret, f"msg_{uuid4().hex}", self._clock(), body)
        return await self._http.send("POST", "", body=body, headers=headers, call=action)


TYPE: Final = RuntimeType(
    name="webhook",
    open=Webhook,
    credentials=("secret",),
    disables=(OnDisable.STOP, OnDisable.STOP_ENTRIES),
    tells_positions=True,
    takes=EVERYTHING,
)
