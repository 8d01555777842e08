"""Where requests go: ccxt's own hosts, or the operator's ``--endpoint``; never what a file says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from reconciler.exchanges import registry
from reconciler.machine import is_this_one
from reconciler.model.errors import UsageError

_NAME: Final = re.compile(r"[a-z0-9]+(?:\.[A-Za-z0-9]+)?")
_ORIGIN: Final = re.compile(r"^[a-z]+://[^/]+")
_HINT: Final = "write it like mexc=http://127.0.0.1:9001, or kucoin.futures=https://proxy.example"


def parse_endpoints(values: Sequence[str]) -> Mapping[str, str]:
    """``["mexc=http://127.0.0.1:9001"]`` as a mapping of exchange (or ``exchange.host``) to origin.

    Raises:
        UsageError: not of that form, no exchange that can be read (a typo would ask the real one),
            named twice, with a path or credentials, or plain HTTP to anything but loopback.
    """
    found: dict[str, str] = {}
    for value in values:
        name, _, url = value.partition("=")
        if not _NAME.fullmatch(name):
            raise UsageError("--endpoint names no exchange", hint=_HINT)
        _refuse_unknown(name.partition(".")[0])
        if name in found:
            raise UsageError(f"--endpoint names {name} twice", hint="give it once")
        found[name] = _origin(name, url)
    return MappingProxyType(found)


def _refuse_unknown(exchange: str) -> None:
    if not registry.known(exchange):
        near = get_close_matches(exchange, registry.ids(), n=3)
        raise UsageError(
            f"--endpoint names the exchange {exchange!r}, which cannot be read",
            hint=f"did you mean {', '.join(near)}?" if near else "reconcile exchanges lists them",
        )


def _origin(name: str, url: str) -> str:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in {"http", "https"}:
        raise UsageError(f"--endpoint {name} is no http or https URL", hint=_HINT)
    if "@" in parts.netloc or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise UsageError(f"--endpoint {name} has more than scheme, host and port", hint=_HINT)
    if parts.scheme == "http" and not is_this_one(host):
        raise UsageError(
            f"--endpoint {name} sends signed requests in clear to another machine",
            hint="use https, or plain http to 127.0.0.1 only",
        )
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port else "")


def refuse_clear(hosts: Iterable[str], proxy: str | None) -> None:
    """Return unless a request in clear would go through a ``proxy`` on another machine.

    Files name proxies, the operator names endpoints: a file must not decide who reads, or answers,
    what the operator sends to loopback without TLS.

    Raises:
        UsageError: one of the origins ``hosts`` is plain HTTP, and ``proxy`` is not on loopback.
    """
    if proxy is None or is_this_one(urlsplit(proxy).hostname or ""):
        return
    if any(urlsplit(host).scheme == "http" for host in hosts):
        raise UsageError(
            "an --endpoint of plain http would send signed requests in clear through an egress's proxy",
            hint="give an https endpoint, or leave the proxy of that egress out",
        )


def redirect(urls: dict[str, Any], exchange: str, endpoints: Mapping[str, str]) -> None:
    """Point ccxt's ``urls`` of one exchange at the operator's endpoints, keeping every path.

    ``<exchange>`` stands for all its hosts; ``<exchange>.<name>`` for those under the key
    ``name`` in ccxt's ``urls['api']`` (``contract``; ``futures`` also means ``futuresPrivate``).

    Raises:
        UsageError: ``name`` is no host of this exchange.
    """
    mine = {key: url for key, url in endpoints.items() if key.split(".", 1)[0] == exchange}
    for key, origin in sorted(mine.items()):  # the general name sorts before the particular ones
        name = key.partition(".")[2]
        _rewrite(urls.get("hostnames", {}), name, _new_host(origin))
        if not _rewrite(urls["api"], name, _new_origin(origin)):
            known = ", ".join(sorted(str(key) for key in urls["api"]))
            raise UsageError(f"{exchange} has no host {name!r}", hint=f"it has: {known}")


def _new_origin(origin: str) -> Callable[[str], str]:
    return lambda leaf: _ORIGIN.sub(origin, leaf)


def _new_host(origin: str) -> Callable[[str], str]:
    return lambda _: urlsplit(origin).netloc


def _rewrite(node: dict[str, Any], name: str, change: Callable[[str], str], *, inside: bool = False) -> int:
    touched = 0
    for key, value in node.items():
        here = inside or not name or _named(key, name)
        if isinstance(value, dict):
            touched += _rewrite(value, name, change, inside=here)
        elif isinstance(value, str) and here:
            node[key] = change(value)
            touched += 1
    return touched


def _named(key: str, name: str) -> bool:
    """Whether ``futuresPrivate`` belongs to ``futures``, or is the name itself."""
    return key == name or (key.startswith(name) and key[len(name)].isupper())


def origins(urls: Mapping[str, Any], hostname: str | None) -> frozenset[str]:
    """Every origin (``https://host``) that ccxt may call by ``urls``, with ``{hostname}`` filled in."""
    names = [*([hostname] if hostname else []), *_leaves(urls.get("hostnames", {}))]
    found: set[str] = set()
    for leaf in _leaves(urls["api"]):
        base = _ORIGIN.match(leaf)
        if base:
            found |= {base[0].replace("{hostname}", name) for name in names or [""]}
    return frozenset(origin for origin in found if "{" not in origin)


def _leaves(node: object) -> Iterator[str]:
    if isinstance(node, Mapping):
        for value in node.values():
            yield from _leaves(value)
    elif isinstance(node, str):
        yield node
