"""When a connection is read again, for any interval, any failures, any chance."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.engine.schedule import (
    FIRST_RETRY,
    JITTER,
    LONGEST_BAN,
    LONGEST_RETRY,
    Timetable,
)

INTERVALS = st.floats(min_value=0.5, max_value=86_400)
CHANCES = st.floats(min_value=0, max_value=1)


class Table:
    """A timetable with a clock that is set by hand."""

    def __init__(self, interval=60.0, chance=0.0):
        self.now = 1000.0
        self.it = Timetable(interval, clock=lambda: self.now, chance=lambda: chance)


def test_what_nobody_knows_yet_is_due_and_what_is_being_read_is_not():
    table = Table()
    assert table.it.due("a")
    table.it.begun("a")
    table.now += 1e9
    assert not table.it.due("a")


@given(interval=INTERVALS, chance=CHANCES)
def test_what_is_well_comes_again_within_one_interval_and_not_at_once(interval, chance):
    table = Table(interval, chance)
    table.it.turn_over()
    table.it.answered("a")
    assert table.now + interval * (1 - JITTER) <= table.it.next() <= table.now + interval
    assert not table.it.due("a")
    table.now = table.it.next()
    assert table.it.due("a")


@given(interval=INTERVALS, chance=CHANCES, failures=st.integers(1, 80))
def test_a_failure_waits_longer_each_time_and_never_too_long(interval, chance, failures):
    table = Table(interval, chance)
    waits = []
    for _ in range(failures):
        table.it.failed("a")
        waits.append(table.it._turns["a"].due - table.now)
        table.now += 1
    assert waits == sorted(waits)
    assert waits[0] <= min(interval, FIRST_RETRY) + 1e-6
    assert waits[-1] <= max(interval, LONGEST_RETRY) + 1e-6
    assert waits[0] >= min(interval, FIRST_RETRY) * 0.75 - 1e-6


@given(interval=INTERVALS, chance=CHANCES, ban=st.floats(0.001, 1e12), failures=st.integers(1, 40))
def test_no_ban_is_broken_and_none_lasts_for_ever(interval, chance, ban, failures):
    table = Table(interval, chance)
    for _ in range(failures):
        table.it.failed("a", retry_after=ban)
    table.it.hasten_all()
    until = table.now + min(ban, LONGEST_BAN)
    assert table.it._turns["a"].due >= until
    table.now = until
    table.it.hasten("a")
    assert table.it.due("a")


def test_an_answer_ends_all_waiting():
    table = Table()
    for _ in range(9):
        table.it.failed("a", retry_after=1e5)
    table.it.turn_over()
    table.it.answered("a")
    assert table.it.next() == table.it.tick
    table.it.failed("a")
    assert table.it._turns["a"].due == table.now + FIRST_RETRY


def test_one_in_trouble_moves_no_other():
    table = Table()
    table.it.turn_over()
    table.it.answered("well")
    table.it.failed("ill", retry_after=3600)
    assert table.it.next() == table.it.tick
    table.now = table.it.tick
    assert (table.it.due("well"), table.it.due("ill")) == (True, False)


def test_a_retry_can_come_before_the_regular_pass():
    table = Table(interval=3600)
    table.it.turn_over()
    table.it.answered("well")
    table.it.failed("ill")
    assert table.it.next() == table.now + FIRST_RETRY


def test_hastened_is_due_unless_it_is_being_read():
    table = Table()
    table.it.turn_over()
    table.it.answered("a")
    table.it.failed("b")
    table.it.begun("c")
    table.it.hasten_all()
    assert [table.it.due(name) for name in "abc"] == [True, True, False]


def test_a_reading_that_was_ended_is_due_again_but_for_a_ban():
    table = Table()
    table.it.begun("a")
    table.it.failed("b", retry_after=100)
    table.it.begun("b")
    for name in "ab":
        table.it.stopped(name)
    assert [table.it.due(name) for name in "ab"] == [True, False]


@pytest.mark.parametrize("kept", [(), ("a",)])
def test_what_left_the_files_leaves_the_timetable(kept):
    table = Table()
    table.it.failed("a")
    table.it.failed("b")
    table.it.keep_only(kept)
    assert sorted(table.it._turns) == list(kept)
