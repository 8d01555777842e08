"""One spelling for equal things: what files, databases and runtimes order or wrap differently."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from typing import Any, TypeAlias

Json: TypeAlias = Any
"""Plain JSON data: mapping, list, text, number, bool or None."""

#: Where something was written, and the ciphertext beside it, are not what a reviewer agrees to.
_UNREVIEWED = frozenset({"mark", "marks", "files", "credentials"})

#: Fields that hold a runtime's JSON-like parameters, in which the order of a list has a meaning.
_PARAMETERS = frozenset({"parameters", "before", "after"})


def dumps(value: object) -> str:
    """Plain JSON data as text: sorted keys, no blanks, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def plain(value: object) -> Json:
    """Dataclasses and what they hold as plain JSON data, in which the order of items has no weight.

    Every field takes part unless it is named above, so that a field added later is reviewed too.

    Raises:
        TypeError: a value has no agreed spelling.
    """
    if is_dataclass(value) and not isinstance(value, type):
        named = (f.name for f in fields(value) if f.name not in _UNREVIEWED)
        return {name: _field(name, getattr(value, name)) for name in named}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return sorted((plain(item) for item in value), key=dumps)
    return _scalar(value)


def parameters(value: object) -> Json:
    """A strategy's parameters as plain JSON data; ``pairs`` are a set, other lists keep their order."""
    spelt = ordered(value)
    if not isinstance(value, Mapping):
        return spelt
    if isinstance(spelt.get("pairs"), list):
        spelt["pairs"] = sorted(spelt["pairs"], key=dumps)
    return spelt


def same_parameters(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether a runtime would do the same with both, tuples and lists not told apart."""
    return dumps(parameters(one)) == dumps(parameters(other))


def _field(name: str, value: object) -> Json:
    return parameters(value) if name in _PARAMETERS else plain(value)


def ordered(value: object) -> Json:
    """JSON-like data as plain JSON data, every list in its order."""
    if isinstance(value, Mapping):
        return {str(key): ordered(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [ordered(item) for item in value]
    return _scalar(value)


def _scalar(value: object) -> Json:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}  # a runtime may hold one; JSON has no number for it
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal | IPv4Network | IPv6Network):
        return _decimal(value) if isinstance(value, Decimal) else str(value)
    raise TypeError(f"{type(value).__name__} has no canonical spelling")


def _decimal(number: Decimal) -> str:
    """All of its digits, without exponent and closing zeros: ``1000`` for ``1000.0``."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
