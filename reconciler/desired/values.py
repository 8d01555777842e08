"""Texts of the files as values: durations, dates, addresses, amounts.

Each function raises :class:`BadValue` with what was expected, never with the text itself.
"""

from __future__ import annotations

from datetime import date, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from reconciler.machine import is_this_one
from reconciler.model.desired import Address

LONGEST: Final = timedelta(days=3650)

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_HUNDRED: Final = Decimal(100)
_LAST_HOUR: Final = 23
_LAST_MINUTE: Final = 59


class BadValue(ValueError):
    """A text of the right shape that means nothing: what is wrong, and the fix."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


def duration(text: str) -> timedelta:
    """The time that ``15m``, ``12h`` or ``180d`` stands for, at most ten years."""
    seconds = int(text[:-1]) * _UNITS[text[-1]]
    if seconds > LONGEST.total_seconds():
        raise BadValue("a duration of more than ten years", f"write at most {LONGEST.days}d")
    return timedelta(seconds=seconds)


def day(text: str) -> date:
    """The date that ``2026-12-31`` stands for."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadValue("no such day in the calendar", "write year, month and day: 2026-12-31") from None


def address(text: str, family: str) -> Address:
    """The network that ``text`` names, a single address as /32 or /128, of ``family``."""
    try:
        network = ip_network(text)
    except ValueError:
        raise _bad_address(text) from None
    if isinstance(network, IPv4Network) != (family == "ipv4"):
        other = "ipv6" if family == "ipv4" else "ipv4"
        raise BadValue(
            f"an address of {other}, where the family is {family}",
            f"write `family: {other}`, or give each family an egress of its own",
        )
    if network.prefixlen == 0:
        raise BadValue("every address there is", "name the addresses that the bot really leaves from")
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped:
        raise BadValue("an IPv4 address in IPv6 clothing", "write it as IPv4, with `family: ipv4`")
    return network


def _bad_address(text: str) -> BadValue:
    try:
        wider = ip_network(text, strict=False)
    except ValueError:
        return BadValue(
            "no IP address or network", "write an address such as 203.0.113.10, or a network in CIDR"
        )
    return BadValue(
        "a network with host bits set",
        f"write the network of /{wider.prefixlen} that it lies in, or one address",
    )


def proxy(text: str) -> str:
    """A proxy address, its port checked."""
    port = int(text.rpartition(":")[2])
    if not 0 < port < 1 << 16:
        raise BadValue("a port that does not exist", "write a port from 1 to 65535")
    return text


def url(text: str) -> str:
    """The address of an API, its port checked."""
    try:
        port = urlsplit(text).port
    except ValueError:
        raise BadValue("no address that exists", "write for example http://127.0.0.1:8080") from None
    if port == 0:
        raise BadValue("a port that does not exist", "write a port from 1 to 65535")
    return text


def leaves_machine_in_clear(text: str) -> bool:
    """Whether what is sent to a url can be read on the way: plain http to anything but loopback.

    Any name but ``localhost`` is looked up at the moment of sending, by whoever answers for it then.
    """
    parts = urlsplit(text)
    return parts.scheme != "https" and not is_this_one(parts.hostname or "")


def amount(text: str) -> Decimal:
    """A decimal number greater than zero."""
    number = Decimal(text)
    if number <= 0:
        raise BadValue("zero, which leaves nothing to trade with", "write a number greater than zero")
    return number


def factor(text: str) -> Decimal:
    """How often a position may be its first order: a decimal number of at least one."""
    number = Decimal(text)
    if number < 1:
        raise BadValue("less than one, and a position is never less than its first order", "write 1 or more")
    return number


def clock(text: str) -> time:
    """The time of day that ``22:30`` stands for."""
    hours, minutes = (int(part) for part in text.split(":"))
    if hours > _LAST_HOUR or minutes > _LAST_MINUTE:
        raise BadValue("no time of a day", 'write a time from "00:00" to "23:59"')
    return time(hours, minutes)


def zone(text: str) -> str:
    """The name of a time zone that this machine knows. ``UTC`` is known everywhere."""
    if text == "UTC":
        return text
    try:
        ZoneInfo(text)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        fix = "write an IANA name such as Europe/Berlin; where none is known, install tzdata"
        raise BadValue("no time zone that is known here", fix) from None
    return text


def share(text: str) -> Decimal:
    """A percentage from nothing to all, as a number such as 50 for ``50%``."""
    number = Decimal(text.removesuffix("%"))
    if number > _HUNDRED:
        raise BadValue("more than all of them", 'write at most "100%"')
    return number


def percentage(text: str) -> Decimal:
    """A percentage greater than zero, at most a hundred, as a number such as 2 for ``2%``."""
    number = Decimal(text.removesuffix("%"))
    if not 0 < number <= _HUNDRED:
        raise BadValue("a percentage out of range", 'write more than "0%" and at most "100%"')
    return number
