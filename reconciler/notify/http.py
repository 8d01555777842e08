"""One POST to a URL that is a secret: encrypted, not redirected, in time, and its answer left unread."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from functools import cache
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from reconciler import __version__
from reconciler.machine import is_this_one
from reconciler.model.errors import NotTaken
from reconciler.model.secret import Secret
from reconciler.notify.interface import TIME_LIMIT

#: Of statuses that refuse what was sent, not who sent it or where to.
_REFUSED: Final = frozenset({400, 406, 413, 415, 422})
_HEADERS: Final = {"Content-Type": "application/json", "User-Agent": f"reconciler/{__version__}"}

_MEANINGS: Final = {
    401: "it does not know us: the URL or its token is wrong",
    403: "it does not let us: the URL or its token is wrong",
    404: "there is nothing at that URL",
    410: "what was at that URL is gone",
    413: "the message is too large for it",
    429: "it takes no more for now",
}


def fault(url: str) -> tuple[str, str] | None:
    """What is wrong with a URL that messages are to be sent to, and what to do; ``None`` for nothing."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if not host or parts.scheme not in {"http", "https"} or not url.isprintable() or " " in url:
        return "is no http or https URL", "copy it whole from where the service shows it, in quotes"
    if "@" in parts.netloc:
        return "holds a user or a password", "put a token into its path or query instead"
    if parts.scheme == "http" and not is_this_one(host):
        return "would be sent in clear to another machine", "use https; plain http goes to loopback only"
    return None


async def post(
    url: Secret, body: bytes, headers: Mapping[str, str] | None = None, *, limit: float = TIME_LIMIT
) -> None:
    """Have ``body``, which is JSON, taken by whoever answers at ``url``, within ``limit`` seconds.

    Nothing of the answer but its status is read or told. Raise ``NotTaken`` for any status but 2xx, for
    a redirect (it could lead anywhere, in clear as well), and when it cannot be reached.
    """
    timeout = aiohttp.ClientTimeout(total=limit)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=_connector(), auto_decompress=False) as session,
            session.post(
                url.reveal(), data=body, headers={**_HEADERS, **(headers or {})}, allow_redirects=False
            ) as response,
        ):
            status = response.status
            response.close()  # what it says besides is nothing to us, and may have no end
    except TimeoutError:
        raise NotTaken(f"it did not answer within {limit:g} s") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise NotTaken(_trouble(error)) from None
    _judge(status)


def _judge(status: int) -> None:
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP's success
        return
    if 300 <= status < 400:  # noqa: PLR2004 - HTTP's redirects
        raise NotTaken(f"it answered {status}, a redirect, which is not followed: name the URL it leads to")
    meaning = f": {_MEANINGS[status]}" if status in _MEANINGS else ""
    raise NotTaken(f"it answered {status}{meaning}", refused=status in _REFUSED)


def _connector() -> aiohttp.TCPConnector:
    return aiohttp.TCPConnector(ssl=_tls(), limit=1, force_close=True)


@cache
def _tls() -> ssl.SSLContext:
    """Certificates and names are verified; loading the system's authorities takes 20 ms, once."""
    return ssl.create_default_context()


def _trouble(error: Exception) -> str:
    """What went wrong, without the library's own text: that names hosts, and could quote more."""
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return "its certificate is not valid for that URL"
        case aiohttp.ClientConnectorDNSError():
            return "its name cannot be resolved"
        case aiohttp.ClientConnectorError():
            return "it cannot be reached"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return "it closed the connection without an answer"
        case aiohttp.ClientPayloadError() | aiohttp.ClientResponseError():
            return "it answered with what is no HTTP"
        case _:
            return "it cannot be reached"
