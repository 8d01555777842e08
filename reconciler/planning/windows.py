"""When strategies may start or change: the windows of policy, on the clocks of their zones.

The present moment is looked up on a zone's clock, never the other way round, so no clock change can make
it ambiguous: an hour that is skipped never comes, and one that comes twice counts twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from reconciler.model.desired import WEEK, Window, WindowKind
from reconciler.model.plan import Action, ActionKind
from reconciler.planning.hold import hold_back

#: The finding that says more.
CHECK = "maintenance-window"


def within_windows(action: Action, windows: Sequence[Window], now: datetime) -> Action:
    """``action``, or the strategy left as it is where it starts or changes at a time that is not allowed."""
    if action.kind not in (ActionKind.ENABLE, ActionKind.CHANGE):
        return action
    why = closed(windows, now)
    return action if why is None else hold_back(action, f"{action.reason}, but {why}", CHECK)


def closed(windows: Sequence[Window], now: datetime) -> str | None:
    """Why nothing may start or change at this moment; ``None`` when it may. A denial outweighs all."""
    denied = [one for one in windows if one.kind is WindowKind.DENY and is_open(one, now)]
    if denied:
        return f"policy.windows says {denied[0]}"
    allowed = [one for one in windows if one.kind is WindowKind.ALLOW]
    if allowed and not any(is_open(one, now) for one in allowed):
        return f"policy.windows says only {'; '.join(map(str, allowed))}"
    return None


def is_open(window: Window, now: datetime) -> bool:
    """Whether the window is open: from the minute of its start up to that of its end."""
    local = now.astimezone(_zone(window.zone))
    today, yesterday = (WEEK[(local - timedelta(days=back)).weekday()] for back in (0, 1))
    clock = local.time()
    if window.start < window.end:
        return today in window.days and window.start <= clock < window.end
    begun = today in window.days and clock >= window.start
    return begun or (yesterday in window.days and clock < window.end)


def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)
