"""Values of a plan file, each of its shape or refused: every function raises ``UsageError`` saying where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from reconciler.model.errors import UsageError
from reconciler.planning.canonical import Json

HINT: Final = "write a new plan with `reconcile --dry-run --out FILE`"

_DIGEST_LENGTH: Final = 64


def bad(where: str, what: str) -> UsageError:
    """The error for a value of the wrong shape, which it does not quote."""
    return UsageError(f"the plan file is not one of ours: {where} {what}", hint=HINT)


def fields(value: object, names: frozenset[str], where: str) -> Mapping[str, Any]:
    """An object with exactly these fields."""
    if not isinstance(value, dict):
        raise bad(where, "is not an object")
    for name in sorted(names - value.keys()):
        raise bad(where, f"lacks {name!r}")
    if value.keys() - names:
        raise bad(where, f"holds a field besides {', '.join(sorted(names))}")
    return value


def items(value: object, where: str) -> list[Json]:
    """A list of anything."""
    if not isinstance(value, list):
        raise bad(where, "is not a list")
    return value


def text(value: object, where: str) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value:
        raise bad(where, "is not a text")
    return value


def maybe_text(value: object, where: str) -> str | None:
    """The same, or null."""
    return None if value is None else text(value, where)


def texts(value: object, where: str) -> tuple[str, ...]:
    """A list of texts that are not empty."""
    return tuple(text(item, f"{where}[{place}]") for place, item in enumerate(items(value, where)))


def one_of(value: object, known: Iterable[StrEnum], where: str) -> str:
    """A text that is one of ``known``."""
    words = [one.value for one in known]
    found = text(value, where)
    if found not in words:
        raise bad(where, f"is none of {', '.join(words)}")
    return found


def maybe_bool(value: object, where: str) -> bool | None:
    """True, false or null."""
    if value is not None and not isinstance(value, bool):
        raise bad(where, "is neither true nor false nor null")
    return value


def count(value: object, where: str) -> int:
    """A whole number, not negative."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise bad(where, "is not a count")
    return value


def digest(value: object, where: str) -> str:
    """SHA-256 in hex."""
    found = text(value, where)
    if len(found) != _DIGEST_LENGTH or not set(found) <= set("0123456789abcdef"):
        raise bad(where, f"is not {_DIGEST_LENGTH} lower-case hex digits")
    return found


def time(value: object, where: str) -> datetime:
    """A time with its zone, in UTC."""
    try:
        when = datetime.fromisoformat(text(value, where))
    except ValueError:
        raise bad(where, "is not an ISO 8601 time") from None
    if when.tzinfo is None:
        raise bad(where, "has no time zone")
    return when.astimezone(UTC)


def settings(value: object, where: str) -> Mapping[str, Any] | None:
    """A strategy's parameters, or null."""
    if value is not None and not isinstance(value, dict):
        raise bad(where, "is neither an object nor null")
    return value
