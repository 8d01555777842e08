"""The part of GitHub's REST API that posting a report needs, on the standard library alone.

How it behaves is from GitHub's documentation: "Best practices for using the REST API" (retry-after, rate
limits), "Using pagination in the REST API" (Link headers), "REST API endpoints for issue comments".
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urljoin, urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

_TRIES: Final = 4
_LONGEST_WAIT: Final = 120.0  # seconds; a primary limit can take an hour, which no job should sit out
_LARGEST_ANSWER: Final = 20_000_000  # bytes; a page of one hundred comments of full length is under 7 MB
_MOST_PAGES: Final = 100


class ApiError(Exception):
    """What GitHub did not do for us. ``status`` is 0 when there was no answer. Never holds the token."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Uncertain(ApiError):
    """A POST was sent and not answered: look whether it was carried out before sending it again."""


class _NoRedirects(HTTPRedirectHandler):
    """A redirect would carry the token to an address that nobody chose."""

    def redirect_request(self, *_: Any, **__: Any) -> None:  # noqa: ANN401 - urllib's own parameters
        return None


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: the status, the headers in lower case, and the JSON of the body (``None`` for none)."""

    status: int
    headers: Mapping[str, str]
    body: Any


class Client:
    """Sends one request at a time to ``base``. Raise ``ApiError`` for an unfit base or token."""

    def __init__(self, base: str, token: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        parts = urlsplit(base)
        loopback = parts.hostname in {"127.0.0.1", "localhost", "::1"}
        if not parts.hostname or (parts.scheme != "https" and not (parts.scheme == "http" and loopback)):
            raise ApiError("GITHUB_API_URL must be an https address (plain http only to this machine)")
        if not re.fullmatch(r"[\x21-\x7e]+", token):
            raise ApiError("GITHUB_TOKEN is missing, or holds characters that no token has")
        self._base, self._token, self._sleep = base.rstrip("/") + "/", token, sleep
        proxies = ProxyHandler({} if loopback else None)
        self._open = build_opener(_NoRedirects, proxies).open

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
        """The object that one call gives, ``None`` for a DELETE. Raise ``ApiError`` from status 300 on."""
        answer = self._send(method, urljoin(self._base, path), body)
        if method != "DELETE" and not isinstance(answer.body, dict):
            raise ApiError(f"the answer to a {method} is not what GitHub's API answers")
        return answer.body

    def pages(self, path: str) -> Iterator[dict[str, Any]]:
        """Every item of a list, page after page, never from another address than the first page's."""
        url: str | None = urljoin(self._base, path)
        for _ in range(_MOST_PAGES):
            if url is None:
                return
            answer = self._send("GET", url, None)
            if not isinstance(answer.body, list):
                raise ApiError("the answer to a GET is not the list that GitHub's API answers")
            yield from (item for item in answer.body if isinstance(item, dict))
            url = self._next(answer.headers.get("link", ""))
        raise ApiError(f"a list of more than {_MOST_PAGES} pages was not read to its end")

    def _next(self, link: str) -> str | None:
        found = re.search(r'<([^<>]*)>\s*;\s*rel="next"', link)
        if not found:
            return None
        url = str(urljoin(self._base, found[1]))
        if not url.startswith(self._base):
            raise ApiError("GitHub's answer names a next page at another address; it was not followed")
        return url

    def _send(self, method: str, url: str, body: Mapping[str, Any] | None) -> Answer:
        for attempt in range(_TRIES):
            answer = self._try(method, url, body)
            if answer is not None and answer.status < 300:  # noqa: PLR2004 - what HTTP calls a success
                return answer
            if method == "POST" and _lost(answer):
                raise Uncertain(_words(method, answer))
            wait = _pause(answer, attempt)
            if wait is None or attempt == _TRIES - 1:
                break
            self._sleep(wait)
        status = 0 if answer is None else 429 if _limited(answer) else answer.status
        raise ApiError(_words(method, answer), status)

    def _try(self, method: str, url: str, body: Mapping[str, Any] | None) -> Answer | None:
        """One attempt; ``None`` when nothing, or nothing whole, came back."""
        data = None if body is None else json.dumps(body).encode()
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self._token}",
            "Content-Type": "application/json",
            "User-Agent": "reconciler-action",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        request = Request(url, data, headers, method=method)  # noqa: S310 - the scheme was judged at the start
        try:
            with self._open(request, timeout=30) as got:
                return _answer(got.status, got.headers, got.read(_LARGEST_ANSWER))
        except HTTPError as error:
            with error:
                return _answer(error.code, error.headers, error.read(_LARGEST_ANSWER))
        except (URLError, HTTPException, OSError):
            return None


def _answer(status: int, headers: Any, body: bytes) -> Answer:  # noqa: ANN401 - http.client's message
    try:
        parsed = json.loads(body) if body.strip() else None
    except ValueError:
        parsed = None
    return Answer(status, {name.lower(): value for name, value in headers.items()}, parsed)


def _lost(answer: Answer | None) -> bool:
    """Whether nobody knows if the request was carried out."""
    return answer is None or answer.status >= 500  # noqa: PLR2004 - a server's own failure


def _limited(answer: Answer) -> bool:
    """Whether a rate limit stood in the way: GitHub answers 429, or 403 with one of two headers."""
    told = "retry-after" in answer.headers or answer.headers.get("x-ratelimit-remaining") == "0"
    return answer.status == 429 or (answer.status == 403 and told)  # noqa: PLR2004 - as documented


def _pause(answer: Answer | None, attempt: int) -> float | None:
    """Seconds to wait before another try; ``None`` when another try cannot help or is too far off."""
    if answer is None or _lost(answer):
        return float(2**attempt)
    if not _limited(answer):
        return None
    after, reset = answer.headers.get("retry-after", ""), answer.headers.get("x-ratelimit-reset", "")
    if re.fullmatch(r"\d{1,6}", after):
        wait = float(after)
    elif re.fullmatch(r"\d{1,12}", reset):
        wait = max(0.0, float(reset) - time.time())
    else:
        wait = 60.0  # "wait for at least one minute before retrying"
    return wait if wait <= _LONGEST_WAIT else None


def _words(method: str, answer: Answer | None) -> str:
    if answer is None:
        return f"GitHub did not answer a {method}"
    told = answer.body.get("message") if isinstance(answer.body, dict) else None
    return f"GitHub answered a {method} with {answer.status}" + (f": {plain(told)}" if told else "")


def plain(text: object) -> str:
    """``text`` as one short line: no control character reaches the log, where a runner reads commands."""
    return "".join(c if c.isprintable() else " " for c in str(text))[:200]
