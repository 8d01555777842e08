"""Staying logged in to freqtrade: a token of fifteen minutes, and one of thirty days to renew it with."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Mapping
from typing import Final

from reconciler.model.errors import RuntimeFailed
from reconciler.model.runtime_kinds import RuntimeFailureKind
from reconciler.model.secret import Secret
from reconciler.runtimes.fields import Fields
from reconciler.runtimes.http import Http, Json

#: What a token consists of; anything else must not get into a header.
_TOKEN: Final = re.compile(r"[A-Za-z0-9_.~+/=-]+")
_LONGEST_TOKEN: Final = 4096


class FreqtradeLogin:
    """Calls that carry a token. The password is sent to log in and with nothing else.

    So a password that does not hold is told once, by the login, and no proxy's log has it with every call.
    """

    def __init__(self, http: Http, credentials: Mapping[str, Secret]) -> None:
        self._http = http
        self._credentials = credentials
        self._access: Secret | None = None
        self._refresh: Secret | None = None
        self._renewing = asyncio.Lock()

    async def call(self, method: str, path: str) -> Json:
        """The JSON of a success. Raise as :meth:`Http.send`; ``UNAUTHORISED`` once no login helps."""
        used = self._access or await self._renewed(None)
        try:
            return await self._once(method, path, used)
        except RuntimeFailed as failed:
            if failed.kind is not RuntimeFailureKind.UNAUTHORISED:
                raise
        return await self._once(method, path, await self._renewed(used))  # refused, so it had no effect

    async def _once(self, method: str, path: str, token: Secret) -> Json:
        headers = _bearer(token)
        if method == "GET":
            return await self._http.get(path, headers=headers)
        return await self._http.send(method, path, headers=headers)

    async def _renewed(self, used: Secret | None) -> Secret:
        """A token that is another than ``used``; of many that ask at once, one goes and gets it."""
        async with self._renewing:
            if self._access is None or self._access is used:
                self._access = await self._refreshed() or await self._logged_in()
            return self._access

    async def _refreshed(self) -> Secret | None:
        """A new token for the old one; ``None`` where the bot wants the password again."""
        if self._refresh is None:
            return None
        try:
            answer = await self._http.send("POST", "/api/v1/token/refresh", headers=_bearer(self._refresh))
        except RuntimeFailed as failed:
            if failed.kind is RuntimeFailureKind.UNAUTHORISED:
                return None
            raise
        return _token(answer, "POST /token/refresh", "access_token")

    async def _logged_in(self) -> Secret:
        call = "POST /token/login"
        user, password = (self._credentials[name].reveal() for name in ("username", "password"))
        basic = base64.b64encode(f"{user}:{password}".encode()).decode()
        answer = await self._http.send(
            "POST", "/api/v1/token/login", headers={"Authorization": f"Basic {basic}"}
        )
        self._refresh = _token(answer, call, "refresh_token")
        return _token(answer, call, "access_token")


def _bearer(token: Secret) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.reveal()}"}


def _token(answer: Json, call: str, name: str) -> Secret:
    """A token out of an answer. A login changes nothing, so whatever is wrong leaves the bot untouched."""
    fields = Fields.of(call, answer)
    token = fields.text(name, most=_LONGEST_TOKEN)
    return Secret(token) if _TOKEN.fullmatch(token) else fields.refuse(f"has no `{name}`")
