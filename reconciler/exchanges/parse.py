"""Shapes that exchanges share: words, addresses, times, ids, flags.

Nothing here raises, and what is not understood comes back as unknown (``None``), never as False.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
    summarize_address_range,
)
from typing import Final

from reconciler.exchanges.interface import Json
from reconciler.model.live import IpWhitelist, Permission, Permissions

EVERY_PERMISSION: Final = frozenset(Permission)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: No key on any exchange is older; earlier times are sentinels (0, 1970, year 1).
_OLDEST: Final = datetime(2010, 1, 1, tzinfo=UTC)
#: Beyond these, a number since 1970 cannot be in the smaller unit.
_SECONDS_END: Final = 10**11
_MILLISECONDS_END: Final = 10**14
_MICROSECONDS_END: Final = 10**17
_INTEGER: Final = re.compile(r"[+-]?\d{1,20}")
_MASKED: Final = re.compile(r"(?=.*\*)(?=.*[0-9a-fA-F])[0-9a-fA-F.:*]+")
_ANYWHERE: Final = frozenset({"*", "0.0.0.0/0", "::/0"})
_MAX_UID: Final = 64
#: Fewer visible characters than these say nothing about which key it is.
_LEAST_SHOWN: Final = 4
_SOUNDS_LIKE_RIGHT: Final = re.compile(
    r"withdraw|transfer|perm|trad(?:e|ing)|auth|right|scope|enable|allow|read_?only", re.IGNORECASE
)

Network = IPv4Network | IPv6Network


def words(value: Json) -> tuple[str, ...] | None:
    """The words of a comma-separated text or a list of texts; ``None`` for null and any other shape."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        return None
    return tuple(part.strip() for part in parts if part.strip())


def granted(
    listed: tuple[str, ...] | None,
    known: Mapping[str, Collection[Permission]],
    *,
    perhaps: Mapping[str, Collection[Permission]] | None = None,
    could_mean: Callable[[str], Collection[Permission]] = lambda _: EVERY_PERMISSION,
) -> tuple[Permissions, tuple[str, ...]]:
    """The permissions that a complete list of words grants, and the words that nobody knows.

    ``known`` gives what each word grants for sure (maybe nothing); ``perhaps`` what a word may
    grant besides. Whatever ``known`` speaks of and no word grants is False, unless a word in
    ``perhaps``, or an unknown one by ``could_mean``, may grant it: then it is unknown. A list that
    is itself unknown (``None``) leaves everything unknown.
    """
    if listed is None:
        return Permissions(), ()
    sure = {word.casefold(): frozenset(grants) for word, grants in known.items()}
    maybe = {word.casefold(): frozenset(grants) for word, grants in (perhaps or {}).items()}
    strange = tuple(dict.fromkeys(word for word in listed if word.casefold() not in sure))
    given = _union(sure.get(word.casefold(), frozenset()) for word in listed)
    open_ = _union(maybe.get(word.casefold(), frozenset()) for word in listed)
    open_ |= _union(could_mean(word) for word in strange)
    denied = _union(sure.values()) - given - open_
    values = {str(p): True if p in given else False if p in denied else None for p in Permission}
    return Permissions(**values), strange


def _union(sets: Iterable[Collection[Permission]]) -> frozenset[Permission]:
    return frozenset(permission for each in sets for permission in each)


def whitelist(value: Json, *, empty: bool | None = False, null: bool | None = None) -> IpWhitelist:
    """The addresses that a key is bound to, from a text or a list.

    ``empty`` and ``null`` say what an empty list and an absent one mean for ``restricted`` on this
    exchange. ``*`` and the whole address space mean unrestricted; a masked address means
    restricted to addresses unknown; text that is no address leaves everything unknown.
    """
    if value is None:
        return IpWhitelist(restricted=null, addresses=() if null is False else None)
    entries = _entries(value)
    if entries is None:
        return IpWhitelist()
    if not entries:
        return IpWhitelist(restricted=empty, addresses=() if empty is False else None)
    if any(entry in _ANYWHERE for entry in entries):
        return IpWhitelist(restricted=False, addresses=())
    return _restricted(entries)


def _restricted(entries: tuple[str, ...]) -> IpWhitelist:
    found: list[str] = []
    masked = False
    for entry in entries:
        networks = _networks(entry)
        if networks is None and not _MASKED.fullmatch(entry):
            return IpWhitelist()
        masked = masked or networks is None
        if any(network.prefixlen == 0 for network in networks or ()):
            return IpWhitelist(restricted=False, addresses=())
        found.extend(_shown(network) for network in networks or ())
    return IpWhitelist(restricted=True, addresses=None if masked else tuple(dict.fromkeys(found)))


def _entries(value: Json) -> tuple[str, ...] | None:
    parts = [value] if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        return None
    return tuple(entry for part in parts for entry in re.split(r"[\s,;]+", part) if entry)


def _networks(entry: str) -> tuple[Network, ...] | None:
    """An address, a network or a range ``a-b`` as networks; ``None`` when it is none of them."""
    try:
        if "-" not in entry:
            found: tuple[Network, ...] | None = (ip_network(entry, strict=False),)
        else:
            first, last = (ip_address(part) for part in entry.split("-", 1))
            found = _range(first, last)
    except ValueError:
        return None
    # 0.0.0.0 means "any" to some and "none" to others: unknown. A /0 is all there is.
    odd = any(n.network_address.is_unspecified and n.prefixlen for n in found or ())
    return None if odd else found


def _range(first: IPv4Address | IPv6Address, last: IPv4Address | IPv6Address) -> tuple[Network, ...] | None:
    try:
        return tuple(summarize_address_range(first, last))
    except TypeError:
        return None


def _shown(network: Network) -> str:
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def moment(value: Json) -> datetime | None:
    """A time from seconds, milli- or microseconds since 1970 (number or text) or RFC 3339, in UTC.

    ``None`` for the sentinels (0, negatives, 1970, year 1), for null and for what is no time.
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    if isinstance(value, int) or _INTEGER.fullmatch(value.strip()):
        return _plausible(_from_number(int(value)))
    try:
        parsed = datetime.fromisoformat(value.strip())
        return _plausible(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def _from_number(number: int) -> datetime | None:
    if not 0 < number < _MICROSECONDS_END:
        return None
    if number < _SECONDS_END:
        return _EPOCH + timedelta(seconds=number)
    if number < _MILLISECONDS_END:
        return _EPOCH + timedelta(milliseconds=number)
    return _EPOCH + timedelta(microseconds=number)


def _plausible(when: datetime | None) -> datetime | None:
    return when.astimezone(UTC) if when is not None and when >= _OLDEST else None


def integer(value: Json) -> int | None:
    """A whole number from a number or its text; ``None`` otherwise (also for True and 1.5)."""
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def uid(value: Json) -> str | None:
    """An account's id as text, from text or a whole number; ``None`` for 0, "" and other shapes."""
    number = integer(value)
    if number is not None:
        return str(number) if number > 0 else None
    shown = value.strip() if isinstance(value, str) else ""
    return shown if 0 < len(shown) <= _MAX_UID and shown.isprintable() else None


def shows(shown: str, whole: str) -> bool:
    """Whether ``shown``, a text of which stars may hide one stretch, can be ``whole``."""
    parts = re.split(r"\*+", shown.strip())
    if len(parts) == 1:
        return bool(whole) and parts[0] == whole
    seen = sum(map(len, parts))
    if not _LEAST_SHOWN <= seen < len(whole):
        return False
    head, *between, tail = parts
    return not between and whole.startswith(head) and whole.endswith(tail)


def text(value: Json) -> str | None:
    """A text that says something; ``None`` for "", null and other shapes."""
    return value.strip() or None if isinstance(value, str) else None


def flag(value: Json) -> bool | None:
    """True or False from a bool, 1 or 0, or their text; ``None`` otherwise."""
    if isinstance(value, str):
        return {"true": True, "1": True, "false": False, "0": False}.get(value.strip().lower())
    return bool(value) if isinstance(value, int) and value in (0, 1) else None


def said(body: Json, *names: str) -> str | None:
    """The first of the fields ``names`` that holds a text or a whole number, as text."""
    if not isinstance(body, dict):
        return None
    for name in names:
        value = body.get(name)
        if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
            return str(value)
    return None


def strange_rights(body: Mapping[str, Json], known: Collection[str]) -> tuple[str, ...]:
    """Names of fields that nobody knows and that sound like a right of the key, as unknown words."""
    return tuple(name for name in body if name not in known and _SOUNDS_LIKE_RIGHT.search(name))


def pair(symbol: str, joint: str) -> str:
    """A ccxt symbol as the exchange's market id: ``BTC/USDT:USDT`` with joint ``-`` is ``BTC-USDT``."""
    return symbol.split(":", 1)[0].replace("/", joint)


def fields(value: Json) -> Mapping[str, Json]:
    """``value`` when it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}
