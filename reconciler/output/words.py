"""How values read on a screen: moments, ages, settings and numbers of things."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

#: Characters of a digest in a summary; the whole of it stands elsewhere.
_SHORT: Final = 8


_SPANS: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def iso(moment: datetime) -> str:
    """``2026-11-22T10:00:00Z``: UTC, whole seconds. A moment without a zone is taken as UTC."""
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return f"{aware.replace(tzinfo=None, microsecond=0).isoformat()}Z"


def day(moment: datetime, now: datetime) -> str:
    """The date with its distance: ``2026-12-31 (in 39 days)``, ``2026-01-02 (324 days ago)``."""
    days = (moment.date() - now.date()).days
    if not days:
        return f"{moment.date()} (today)"
    distance = counted(abs(days), "day")
    return f"{moment.date()} (in {distance})" if days > 0 else f"{moment.date()} ({distance} ago)"


def ago(moment: datetime, now: datetime) -> str:
    """How long it is since ``moment``, roughly: ``12 seconds ago``, ``3 hours ago``, ``in 2 days``."""
    seconds = (now - moment).total_seconds()
    size, unit = next((size, unit) for size, unit in _SPANS if abs(seconds) >= 2 * size or size == 1)
    count = counted(int(abs(seconds) // size), unit)
    return f"in {count}" if seconds < 0 else f"{count} ago"


def counted(number: int, word: str) -> str:
    """``1 connection``, ``2 connections``, ``2 strategies``."""
    if number == 1:
        return f"1 {word}"
    return f"{number} {word[:-1]}ies" if word.endswith("gy") else f"{number} {word}s"


def short_digest(digest: str) -> str:
    """The first characters of a digest, for people to compare; programs use the whole."""
    return digest.rpartition(":")[2][:_SHORT]


def setting(value: object) -> str:
    """One value of a strategy's parameters as a person would write it; ``none`` for an absent one."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ", ".join(map(setting, value)) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{path} {setting(leaf)}" for path, leaf in flattened(value)) or "none"
    return str(value)


def moved(old: object, new: object) -> str:
    """``3 → 5``; of a set what comes and what goes: ``+ETH/USDT -BTC/USDT``."""
    if isinstance(old, list | tuple) and isinstance(new, list | tuple):
        return " ".join(came_and_went(old, new)) or "another order"
    return f"{quoted(old)} → {quoted(new)}"


def came_and_went(old: Sequence[object], new: Sequence[object]) -> Iterator[str]:
    """``+`` and each value that only ``new`` holds, then ``-`` and each that only ``old`` holds."""
    yield from (f"+{quoted(one)}" for one in new if one not in old)
    yield from (f"-{quoted(one)}" for one in old if one not in new)


def quoted(value: object) -> str:
    """The value as a person would write it; text of nothing that is seen in quotes."""
    told = setting(value)
    return told if told.strip() else f'"{told}"'


def flattened(parameters: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf with its dotted path, by path: ``("averaging.max_additions", 3)``."""
    for name in sorted(parameters):
        value = parameters[name]
        if isinstance(value, Mapping) and value:
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Every dotted path whose value changes, with the old and the new one; ``None`` where absent."""
    old, new = dict(flattened(before)), dict(flattened(after))
    for path in sorted(old.keys() | new.keys()):
        if old.get(path) != new.get(path):
            yield path, old.get(path), new.get(path)
