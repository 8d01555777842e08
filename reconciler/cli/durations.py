"""Times on the command line: how long something may take, and since when something is asked for."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_LONGEST: Final = timedelta(days=3650)


class Duration(click.ParamType[timedelta]):
    """A length of time as in the files: ``90s``, ``15m``, ``12h``, ``7d``, ``2w``. From 1 s to ten years."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:  # noqa: ANN401 - as click has it
        """The time. Fail for what is none."""
        found = value if isinstance(value, timedelta) else duration(value)
        if found is None or not timedelta(seconds=1) <= found <= _LONGEST:
            self.fail(f"{value!r} is no length of time such as 90s, 15m, 12h or 7d.", param, ctx)
        return found


class Since(click.ParamType[datetime]):
    """A moment: so long ago (``24h``), a date, or a date and a time; in UTC where no zone is given."""

    name = "since"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:  # noqa: ANN401 - as click has it
        """The moment, aware. Fail for what is none."""
        if isinstance(value, datetime):
            return value
        if (back := duration(value)) is not None and back <= _LONGEST:
            return datetime.now(UTC) - back
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither a time such as 24h nor a date such as 2026-11-22.", param, ctx)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def duration(text: str) -> timedelta | None:
    """The time that ``15m`` stands for; ``None`` where it stands for none."""
    found = re.fullmatch(r"([0-9]{1,9})([smhdw])", text)
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]]) if found else None
