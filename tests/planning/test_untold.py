"""Runtimes that do not tell parameters: what they were enabled with is what counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.model.plan import RunningStrategy

PARAMETERS = {"pairs": ["BTC/USDT", "ETH/USDT"], "risk_level": "conservative"}


@pytest.mark.parametrize(
    ("enabled_with", "kind"),
    [
        (None, "none"),  # somebody else started it, and nobody can say with what
        (PARAMETERS, "none"),
        (PARAMETERS | {"risk_level": "aggressive"}, "change"),
    ],
)
def test_what_a_runtime_does_not_tell_is_remembered(make, enabled_with, kind):
    running = {"paper": {"grid": RunningStrategy(id="grid", enabled=True, parameters=None)}, "live": {}}
    inventory = () if enabled_with is None else (replace(make.item("grid"), parameters=enabled_with),)
    plan = make.plan(make.desired(make.strategy()), runtimes=running, inventory=inventory)
    (action,) = plan.actions
    assert action.kind == kind
    assert action.before == (enabled_with if kind == "change" else None)


def test_what_was_remembered_of_another_runtime_says_nothing_here(make):
    running = {"paper": {"grid": RunningStrategy(id="grid", enabled=True, parameters=None)}, "live": {}}
    inventory = (replace(make.item("grid", "live"), parameters={"pairs": []}),)
    plan = make.plan(make.desired(make.strategy()), runtimes=running, inventory=inventory)
    assert [one.kind for one in plan.actions if one.runtime == "paper"] == ["none"]
