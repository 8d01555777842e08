"""All that apprise reaches: Telegram, e-mail, PagerDuty, ntfy and a hundred more.

Needs the extra ``apprise``. The library does the talking, so it can be held to less than our own sinks:
it reads whole answers. It verifies TLS and follows no redirect, a URL that would change that is refused,
and its logs are shut, since they quote answers. https://github.com/caronc/apprise
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import threading
import warnings
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Final

from reconciler.machine import is_this_one
from reconciler.model.errors import NotTaken
from reconciler.model.event import EventSeverity
from reconciler.model.message import Message
from reconciler.model.secret import Secret
from reconciler.notify.interface import TIME_LIMIT, Sink, SinkSpec

if TYPE_CHECKING:
    import apprise

_TYPES: Final = {
    EventSeverity.INFO: "info",
    EventSeverity.WARNING: "warning",
    EventSeverity.CRITICAL: "failure",
}
_INSTALL: Final = "install it with: pip install 'reconciler[apprise]'"


class Apprise:
    """One notification for each message, in the words for people."""

    def __init__(self, url: Secret, *, limit: float = 2 * TIME_LIMIT) -> None:
        _load()
        self._url = url
        self._limit = limit

    async def send(self, message: Message) -> None:
        """Return once it was taken. Raise ``NotTaken``.

        The library blocks. Its thread is let go when it takes too long, and never keeps this process
        from ending; what it was sending may then arrive, and come again.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[bool] = loop.create_future()

        def settle(taken: bool) -> None:
            if not done.done():
                done.set_result(taken)

        def work() -> None:
            taken = _notify(self._url, message)
            with suppress(RuntimeError):  # the loop is closed: nobody waits for this any longer
                loop.call_soon_threadsafe(settle, taken)

        threading.Thread(target=work, daemon=True, name="apprise").start()
        try:
            taken = await asyncio.wait_for(done, self._limit)
        except TimeoutError:
            raise NotTaken(f"it did not answer within {self._limit:g} s") from None
        if not taken:
            raise NotTaken("apprise could not deliver it: the service refused it or cannot be reached")


def _notify(url: Secret, message: Message) -> bool:
    """Whether apprise says that it was taken; whatever it raises means that it was not."""
    try:
        opened = _opened(url.reveal())
        if opened is None:
            return False
        done = opened.notify(body=message.text, title=message.title, notify_type=_TYPES[message.severity])
    except Exception:  # noqa: BLE001 - a hundred plug-ins of others, and their text could quote the URL
        return False
    return bool(done)


@cache
def _load() -> None:
    """Import the library with all its services, once, and before any thread of ours asks for them."""
    import apprise  # noqa: PLC0415 - a third of a second, and an extra

    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it warns of is for those who keep it
        apprise.Apprise.instantiate("json://localhost")


def _opened(url: str) -> apprise.Apprise | None:
    """Apprise with the one service of ``url``; ``None`` for what it takes for no service."""
    import apprise  # noqa: PLC0415 - a third of a second, and an extra

    asset = apprise.AppriseAsset(
        app_id="reconciler",
        app_desc="reconciler",
        async_mode=False,
        http_redirects=False,
        secure_logging=True,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
    )
    opened = apprise.Apprise(asset=asset)
    return opened if opened.add(url) and len(opened) == 1 else None


class AppriseKind:
    """The type ``apprise``."""

    def wrong(self, spec: SinkSpec) -> Sequence[tuple[str, str, str]]:
        """Each fault of an entry."""
        if importlib.util.find_spec("apprise") is None:
            return [("type", "needs the library apprise, which is not installed", _INSTALL)]
        found = [("url", *fault) for fault in _url_faults(spec.url.reveal())]
        if spec.secret is not None:
            found.append(("secret", "does not go with this type", "put tokens into the URL, as apprise says"))
        return found

    def open(self, spec: SinkSpec) -> Sink:
        """The sink of an entry without faults."""
        return Apprise(spec.url)


def _url_faults(url: str) -> list[tuple[str, str]]:
    _load()
    try:
        opened = _opened(url)
    except Exception:  # noqa: BLE001 - as above
        opened = None
    if opened is None:
        return [("is no URL of one service that apprise knows", "see https://appriseit.com/services/")]
    service = opened[0]
    found = []
    if not service.verify_certificate:
        found.append(("switches the verification of certificates off", "remove `verify=no`"))
    if service.redirects:
        found.append(("has redirects followed", "remove `redirect=yes`"))
    host = service.host or ""
    if _in_clear(url, service) and host and not is_this_one(host):
        found.append(
            (
                "would be sent in clear to another machine",
                "use its encrypted scheme, such as jsons:// or mailtos://",
            )
        )
    return found


def _in_clear(url: str, service: apprise.NotifyBase) -> bool:
    """Whether the scheme is one that the service has besides an encrypted one, or instead of it."""
    if service.secure:
        return False
    scheme = url.partition("://")[0].lower()
    plain = service.protocol or ()
    return scheme in ((plain,) if isinstance(plain, str) else plain)
