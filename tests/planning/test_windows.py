"""Maintenance windows: when strategies start and change, on the clocks of any zone, and what never waits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.desired import WEEK, Policy, Window, WindowKind
from reconciler.model.plan import ActionKind
from reconciler.planning.windows import closed, is_open


def clock(text):
    return time.fromisoformat(text)


def window(kind="deny", start="22:00", end="02:00", days=WEEK, zone="UTC"):
    return Window(kind=WindowKind(kind), days=tuple(days), start=clock(start), end=clock(end), zone=zone)


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


SATURDAY = window(days=("sat",))  # from Saturday, 22:00, to Sunday, 02:00


@pytest.mark.parametrize(
    ("one", "moment", "open_"),
    [
        (window(start="09:00", end="17:00"), "2026-11-21 08:59:59", False),
        (window(start="09:00", end="17:00"), "2026-11-21 09:00", True),
        (window(start="09:00", end="17:00"), "2026-11-21 16:59:59.999", True),
        (window(start="09:00", end="17:00"), "2026-11-21 17:00", False),
        (window(start="09:00", end="17:00", days=("sun",)), "2026-11-21 12:00", False),
        (SATURDAY, "2026-11-21 21:59", False),
        (SATURDAY, "2026-11-21 22:00", True),
        (SATURDAY, "2026-11-22 01:59", True),
        (SATURDAY, "2026-11-22 02:00", False),
        (SATURDAY, "2026-11-22 22:00", False),
        (SATURDAY, "2026-11-21 01:00", False),
        (window(start="00:00", end="00:00", days=("sat",)), "2026-11-21 00:00", True),
        (window(start="00:00", end="00:00", days=("sat",)), "2026-11-21 23:59", True),
        (window(start="00:00", end="00:00", days=("sat",)), "2026-11-22 00:00", False),
        (window(start="12:00", end="12:00", days=("sat",)), "2026-11-22 11:59", True),
        (window(start="12:00", end="12:00", days=("sat",)), "2026-11-22 12:00", False),
        (window(zone="Asia/Tokyo", start="09:00", end="10:00"), "2026-11-21 00:30", True),
        (window(zone="Asia/Tokyo", start="00:00", end="09:00", days=("sun",)), "2026-11-21 15:00", True),
        # In Berlin clocks go from 01:59 to 03:00 on 29 March, and from 02:59 back to 02:00 on 25 October.
        (window(zone="Europe/Berlin", start="02:00", end="03:00"), "2026-03-29 00:59", False),
        (window(zone="Europe/Berlin", start="02:00", end="03:00"), "2026-03-29 01:00", False),
        (window(zone="Europe/Berlin", start="02:30", end="04:00"), "2026-03-29 01:00", True),
        (window(zone="Europe/Berlin", start="02:00", end="03:00"), "2026-10-25 00:30", True),
        (window(zone="Europe/Berlin", start="02:00", end="03:00"), "2026-10-25 01:30", True),
        (window(zone="Europe/Berlin", start="02:00", end="03:00"), "2026-10-25 02:00", False),
    ],
)
def test_a_window_opens_and_closes_on_the_clock_of_its_zone(one, moment, open_):
    assert is_open(one, at(moment)) is open_
    assert is_open(one, at(moment).astimezone(ZoneInfo("America/New_York"))) is open_


@pytest.mark.parametrize(
    ("windows", "noon_is_closed"),
    [
        ([], False),
        ([window("deny", "11:00", "13:00")], True),
        ([window("deny", "13:00", "14:00")], False),
        ([window("allow", "11:00", "13:00")], False),
        ([window("allow", "13:00", "14:00")], True),
        ([window("allow", "13:00", "14:00"), window("allow", "11:00", "13:00")], False),
        ([window("allow", "11:00", "13:00"), window("deny", "11:30", "12:30")], True),
    ],
)
def test_a_denial_outweighs_and_where_something_allows_nothing_else_is(windows, noon_is_closed):
    assert bool(closed(windows, at("2026-11-21 12:00"))) is noon_is_closed


class TestPlan:
    """The plan's own moment is noon on a Sunday."""

    shut = Policy(windows=(window("deny", "11:00", "13:00", days=("sun",)),))

    def plan(self, make, *strategies, policy=None, running=None, **changes):
        desired = make.desired(*strategies, policy=policy or self.shut)
        return make.plan(desired, runtimes={"paper": running or {}, "live": {}}, **changes)

    def test_a_start_and_a_change_wait(self, make):
        running = make.running("grid", risk_level="aggressive")
        plan = self.plan(make, make.strategy(), make.strategy("new"), running=running)
        assert [(a.kind.value, a.strategy, a.checks) for a in plan.actions] == [
            ("hold", "grid", ("maintenance-window",)),
            ("blocked", "new", ("maintenance-window",)),
        ]
        assert "policy.windows says deny sun 11:00-13:00 UTC" in plan.actions[0].reason

    def test_what_runs_as_git_says_waits_for_nothing(self, make):
        (action,) = self.plan(make, make.strategy(), running=make.running("grid")).actions
        assert action.kind is ActionKind.NONE

    @pytest.mark.parametrize("enabled", [True, False])
    def test_stops_never_wait(self, make, enabled):
        reports = (make.report(ip_whitelist_missing="fail"),) if enabled else (make.report(),)
        plan = self.plan(
            make,
            make.strategy(enabled=enabled),
            running=make.running("grid", "gone"),
            inventory=[make.item("gone")],
            reports=reports,
        )
        assert {(a.kind.value, a.strategy) for a in plan.actions} == {
            ("disable", "grid"),
            ("disable", "gone"),
        }

    def test_a_move_waits_as_a_whole(self, make):
        plan = self.plan(
            make,
            make.strategy(runtime="live"),
            running=make.running("grid"),
            inventory=[make.item("grid")],
        )
        assert [(a.kind.value, a.runtime) for a in plan.actions] == [("hold", "paper"), ("blocked", "live")]


@st.composite
def windows(draw, kind=None):
    clocks = st.builds(time, st.integers(0, 23), st.sampled_from([0, 30]))
    return Window(
        kind=kind or draw(st.sampled_from(WindowKind)),
        days=tuple(draw(st.lists(st.sampled_from(WEEK), min_size=1, unique=True))),
        start=draw(clocks),
        end=draw(clocks),
        zone=draw(st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"])),
    )


MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@given(one=windows(), moment=MOMENTS)
def test_it_is_open_exactly_where_a_walk_back_to_its_last_start_meets_no_end(one, moment):
    """The oracle walks the wall clock back minute by minute, as a person would on a calendar."""
    here = moment.astimezone(UTC if one.zone == "UTC" else ZoneInfo(one.zone)).replace(tzinfo=None)
    here = here.replace(second=0, microsecond=0)
    expected = False
    for minutes in range(24 * 60):
        then = here - timedelta(minutes=minutes)
        if then.time() == one.start:
            expected = WEEK[then.weekday()] in one.days
            break
        if then.time() == one.end:
            break
    assert is_open(one, moment) is expected


@given(some=st.lists(windows(), max_size=3), more=windows(WindowKind.DENY), moment=MOMENTS)
def test_one_more_denial_never_opens_and_one_more_allowance_among_others_never_closes(some, more, moment):
    if closed(some, moment):
        assert closed([*some, more], moment)
    allowing = [window("allow", "00:00", "00:01"), *some]
    if not closed(allowing, moment):
        assert not closed([*allowing, replace(more, kind=WindowKind.ALLOW)], moment)
