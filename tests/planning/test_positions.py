"""A plan that stops a strategy says what it leaves open, and that changes nothing else of it."""

from __future__ import annotations

import pytest

from reconciler.model.bot import Bot
from reconciler.model.plan import RunningStrategy


def plan(make, positions, **fields):
    held = RunningStrategy(id="grid", enabled=True, parameters=None, bot=Bot(open_positions=positions))
    return make.plan(make.desired(make.strategy(**fields)), runtimes={"paper": {"grid": held}, "live": {}})


@pytest.mark.parametrize(
    ("positions", "told"),
    [
        (None, None),
        ((), None),
        (("BTC/USDT",), "; 1 position stays open: BTC/USDT"),
        (("A/X", "B/X"), "; 2 positions stay open: A/X, B/X"),
        (
            tuple(f"C{n}/X" for n in range(8)),
            "; 8 positions stay open: C0/X, C1/X, C2/X, C3/X, C4/X and 3 more",
        ),
    ],
)
def test_what_stays_open_is_named(make, positions, told):
    (action,) = plan(make, positions, enabled=False).actions
    assert action.kind == "disable"
    assert action.reason.endswith(told or "`enabled: false`")


def test_what_goes_on_says_nothing_of_positions(make):
    (action,) = plan(make, ("BTC/USDT",)).actions
    assert (action.kind, "open" in action.reason) == ("none", False)


def test_positions_come_and_go_without_another_plan(make):
    digests = {plan(make, held, enabled=False).digest for held in (None, ("BTC/USDT",), ("A/X", "B/X"))}
    assert len(digests) == 1
