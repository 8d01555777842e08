"""A plan that stops a strategy says what it leaves open, and who manages that."""

from __future__ import annotations

import pytest

from reconciler.model.bot import Bot
from reconciler.model.desired import OnDisable
from reconciler.model.plan import RunningStrategy


def plan(make, positions, kind="bot", **fields):
    held = RunningStrategy(id="grid", enabled=True, parameters=None, bot=Bot(open_positions=positions))
    runtimes = {"paper": make.runtime("paper", type=kind), "live": make.runtime("live")}
    desired = make.desired(make.strategy(**fields), runtimes=runtimes)
    return make.plan(desired, runtimes={"paper": {"grid": held}, "live": {}})


@pytest.mark.parametrize(
    ("how", "positions", "told"),
    [
        (OnDisable.STOP_ENTRIES, None, "; entries stop: it does not tell what is open, and manages it on"),
        (OnDisable.STOP_ENTRIES, (), "; entries stop: nothing is open"),
        (
            OnDisable.STOP_ENTRIES,
            ("BTC/USDT",),
            "; entries stop: 1 position stays open: BTC/USDT, managed on",
        ),
        (
            OnDisable.STOP,
            None,
            "; it stops altogether, and does not tell now what stays open, unmanaged",
        ),
        (OnDisable.STOP, (), "; it stops altogether: nothing is open"),
        (
            OnDisable.STOP,
            ("A/X", "B/X"),
            "; it stops altogether: 2 positions stay open: A/X, B/X, and nobody manages that",
        ),
        (
            OnDisable.STOP_ENTRIES,
            tuple(f"C{n}/X" for n in range(8)),
            "; entries stop: 8 positions stay open: C0/X, C1/X, C2/X, C3/X, C4/X and 3 more, managed on",
        ),
    ],
)
def test_what_stays_open_is_named_with_who_manages_it(make, how, positions, told):
    (action,) = plan(make, positions, enabled=False, on_disable=how).actions
    assert (action.kind, action.open_positions) == ("disable", positions)
    assert action.reason == f"git says `enabled: false`{told}"


@pytest.mark.parametrize("positions", [None, ()])
def test_where_not_all_positions_are_ever_told_none_does_not_mean_that_none_are_open(make, positions):
    (action,) = plan(make, positions, kind="ledger", enabled=False).actions
    assert action.reason == "git says `enabled: false`"


def test_a_position_that_is_told_is_named_even_where_others_may_not_be(make):
    (action,) = plan(make, ("A/X",), kind="ledger", enabled=False).actions
    assert action.reason.endswith("it stops altogether: 1 position stays open: A/X, and nobody manages that")


def test_what_goes_on_says_nothing_of_positions(make):
    (action,) = plan(make, ("BTC/USDT",)).actions
    assert (action.kind, action.open_positions, "open" in action.reason) == ("none", None, False)


def test_positions_come_and_go_without_another_plan(make):
    digests = {plan(make, held, enabled=False).digest for held in (None, ("BTC/USDT",), ("A/X", "B/X"))}
    assert len(digests) == 1
