"""Signed requests to the public API of 3Commas, at the pace that it allows.

Built from https://github.com/3commas-io/3commas-official-api-docs at 0a55695 (2026-05), which is what
https://developers.3commas.io/ shows. ``Forced-Mode`` stood in its README until 2024-07.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from reconciler.model.errors import RuntimeFailed
from reconciler.model.runtime_kinds import RuntimeFailureKind as Kind
from reconciler.model.secret import Secret
from reconciler.runtimes.failing import failed
from reconciler.runtimes.fields import Fields
from reconciler.runtimes.http import Http, attempts
from reconciler.runtimes.threecommas_pace import READS, STARTS, Pace

Sign: TypeAlias = Callable[[str], str]
"""The ``Signature`` header of a request, from its path and query."""

#: Records on one page, as many as the API gives of bots; deals are three times as large.
PAGE: Final = 100

#: Pages that are read at most.
_PAGES: Final = 20

_MISSING: Final = frozenset({"not found", "not_found"})


class Mode(StrEnum):
    """The world that a request sees: 3Commas keeps paper accounts, and their bots, apart."""

    REAL = "real"
    PAPER = "paper"

    @property
    def other(self) -> Mode:
        """The world that this is not."""
        return Mode.PAPER if self is Mode.REAL else Mode.REAL


def signer(secret: Secret) -> Sign:
    """HMAC-SHA256 with the secret of a system-generated token, RSA where it is a private key in PEM.

    Raise ``RuntimeFailed`` for a private key that is none.
    """
    text = secret.reveal()
    return _rsa(text) if text.lstrip().startswith("-----BEGIN") else _hmac(text.encode())


class Api:
    """The calls that a driver needs. ``pace`` is shared by all that ask the same host.

    Looking is tried up to three times where nothing answers; what acts is sent exactly once. Each raises
    ``RuntimeFailed``, in which nothing stands that 3Commas said.
    """

    def __init__(
        self,
        url: str,
        credentials: Mapping[str, Secret],
        *,
        timeout: float,
        pace: Pace,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._base = urlsplit(url).path
        self._http = Http(url, timeout=timeout)
        self._credentials = credentials
        self._pace = pace
        self._sleep = sleep
        self._sign: Sign | None = None

    async def bots(self, mode: Mode) -> tuple[Fields, ...]:
        """Every DCA bot of that world, the oldest first, so that one made meanwhile moves no other."""
        found, _ = await self._pages("/ver1/bots?order_direction=ASC&sort_by=created_at", mode)
        return found

    async def bot(self, bot: int, mode: Mode, *, most: int | None = READS) -> Fields | None:
        """One DCA bot; ``None`` where that world has none of that id."""
        return await self._one(f"/ver1/bots/{bot}/show?include_events=false", mode, most=most)

    async def account(self, account: int, mode: Mode) -> Fields | None:
        """One exchange account; ``None`` where that world has none of that id."""
        return await self._one(f"/ver1/accounts/{account}", mode)

    async def deals(self, mode: Mode) -> tuple[Fields, ...] | None:
        """Every active deal of that world; ``None`` where there are too many to read."""
        found, whole = await self._pages("/ver1/deals?scope=active", mode, group="deals")
        return found if whole else None

    async def switch(self, bot: int, mode: Mode, *, on: bool) -> Fields:
        """Enable or disable a DCA bot; the bot as 3Commas then says it is.

        Stopping waits for no limit of ours, and for that of 3Commas no longer than it has to.
        """
        path = f"/ver1/bots/{bot}/{'enable' if on else 'disable'}"
        answer = await self._send("POST", path, mode, most=STARTS if on else None)
        return Fields.of(f"POST {path}", answer, untouched=False)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.close()

    async def _one(self, path: str, mode: Mode, *, most: int | None = READS) -> Fields | None:
        found = Fields.of(f"GET {path.partition('?')[0]}", await self._get(path, mode, most=most))
        if "error" not in found.answer:
            return found
        if found.text("error").lower() in _MISSING:
            return None
        return found.refuse("tells an error that nobody knows")

    async def _pages(self, path: str, mode: Mode, *, group: str = "") -> tuple[tuple[Fields, ...], bool]:
        """The records of all pages, and whether these are all that there are."""
        call = f"GET {path.partition('?')[0]}"
        found: list[Fields] = []
        for page in range(_PAGES):
            answer = await self._get(f"{path}&limit={PAGE}&offset={page * PAGE}", mode, group=group)
            if not isinstance(answer, list):
                Fields(call, {}).refuse("is no list")
            found += [Fields.of(call, record) for record in answer]
            if len(answer) < PAGE:
                return tuple(found), True
        return tuple(found), False

    async def _get(self, path: str, mode: Mode, *, most: int | None = READS, group: str = "") -> Any:  # noqa: ANN401 - JSON
        async for attempt in attempts():
            with attempt:
                return await self._send("GET", path, mode, most=most, group=group)
        raise AssertionError("an attempt either returns or raises")

    async def _send(self, method: str, path: str, mode: Mode, *, most: int | None, group: str = "") -> Any:  # noqa: ANN401 - JSON
        headers = self._signed(path, mode)
        while most is None and (pause := self._pace.wait()) > 0:
            await self._sleep(pause)
        self._pace.take(f"{method} {path.partition('?')[0]}", most=most, group=group)
        try:
            return await self._http.send(
                method, path, headers=headers, answers=(404,) if method == "GET" else ()
            )
        except RuntimeFailed as error:
            self._pace.refused(error.status or 0, group)
            raise _explained(error, method) from None

    def _signed(self, path: str, mode: Mode) -> Mapping[str, str]:
        key = self._credentials["api_key"].reveal()
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise failed(Kind.LOCKED, "the api_key is none of 3Commas", hint=_PUT_IT_THERE)
        self._sign = self._sign or signer(self._credentials["secret"])
        signature = self._sign(f"{self._base}{path}")
        return {"Apikey": key, "Signature": signature, "Forced-Mode": mode.value}


def _explained(error: RuntimeFailed, method: str) -> RuntimeFailed:
    """The same error, with what 3Commas documents of its status."""
    kind, hint = error.kind, _HINTS.get(error.status or 0, error.hint)
    if error.status == 403 and method == "POST":  # noqa: PLR2004 - forbidden
        kind, hint = Kind.REFUSED, _MAY_NOT_ACT
    return RuntimeFailed(error.message, kind=kind, untouched=error.untouched, hint=hint, status=error.status)


_MAY_NOT_ACT: Final = (
    "Give the token the permission BOTS_WRITE. If it has it, 3Commas does not let this bot be switched now: "
    "its page there says why, such as a subscription that ended."
)
_PUT_IT_THERE: Final = "Put the api_key and the secret of a token into the secret file with `sops edit`."
_HINTS: Final = {
    401: "The token is wrong or expired, its secret is another one's, or it may be used from other addresses "
    "only. Make one in 3Commas under API, and put it into the secret file with `sops edit`.",
    403: "Give the token the permissions BOTS_READ and ACCOUNTS_READ.",
    418: "3Commas has banned this address, for two minutes to three days. Run less often, and find out what "
    "else sends requests from here.",
    429: "More than 100 requests a minute reached 3Commas, from here or with this token from elsewhere. "
    "Nothing is sent for the next five minutes; run less often.",
}


def _hmac(key: bytes) -> Sign:
    return lambda payload: hmac.new(key, payload.encode(), hashlib.sha256).hexdigest()


def _rsa(pem: str) -> Sign:
    """RSASSA-PKCS1-v1_5 with SHA-256, in base64."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - few need it
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        what = "the secret is no RSA private key in PEM without a passphrase"
        raise failed(Kind.LOCKED, what, hint=_PUT_IT_THERE)
    return lambda payload: base64.b64encode(
        key.sign(payload.encode(), padding.PKCS1v15(), hashes.SHA256())
    ).decode("ascii")
